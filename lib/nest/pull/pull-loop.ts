import type { LoggerService } from '@nestjs/common';
import { setTimeout as delay } from 'node:timers/promises';
import { Consumer } from '../../consume/consumer.js';
import { invoker } from '../../consume/handlers/invoker.js';
import type { ConsumedStream } from '../../consume/stream-place.js';
import { ConnectionClosedError } from '../../errors/redis.errors.js';
import type {
  ResolvedServerOptions,
  ResolvedSubscription,
} from '../../options/resolved-options.js';
import { isRefusal } from '../../redis/server/redis-errors.js';
import { isWildcard } from '../../wire/stream-names.js';
import * as text from '../nest.messages.js';
import { notePartitionCounts } from '../partition-counts.js';
import { HandOut } from './hand-out.js';
import type { PulledMessage } from './pulled-message.js';

/** The messages of a stream, for `for await`. Connects with the first `next()`. */
export interface PulledMessages<Payload = unknown> extends AsyncIterableIterator<
  PulledMessage<Payload>
> {
  /**
   * Ends the loop, as `break` and an error in its body do. What is settled is recorded, and what is not is given back to the
   * group without being charged an attempt, before it resolves.
   */
  return(): Promise<IteratorReturnResult<undefined>>;
}

/** What a loop is opened with. */
export interface LoopPlace {
  /** A stream or a wildcard. */
  readonly target: string;
  readonly options: ResolvedServerOptions;
  readonly subscription: ResolvedSubscription;
  readonly untilEmpty: boolean;
  readonly signal: AbortSignal | undefined;
}

/** How often to ask whether the group has finished, in ms: twice as long after each answer that it has not. */
const FINISHED_MS = { first: 10, longest: 1_000 };
const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined };

/** One `from()`: a member of the group whose handler is the loop. */
export class PullLoop implements PulledMessages {
  private readonly handOut: HandOut;
  private readonly ending = new AbortController();
  private consumer: Consumer | undefined;
  private closed: Promise<void> | undefined;
  private failure: { readonly error: unknown } | undefined;
  private isClosed = false;
  private isSaidOfRequests = false;

  constructor(
    readonly place: LoopPlace,
    private readonly logger: LoggerService,
    /** Called when it reads. */
    private readonly onReading: () => void,
  ) {
    const { target, subscription } = place;
    this.handOut = new HandOut(target, subscription.concurrency, this, logger);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<PulledMessage, undefined>> {
    this.open();
    const message = await this.handOut.next();
    if (message !== undefined) return { done: false, value: message };
    await this.closed;
    const { failure } = this;
    this.failure = undefined;
    if (failure !== undefined) throw failure.error;
    return DONE;
  }

  async return(): Promise<IteratorReturnResult<undefined>> {
    const closed = this.end();
    this.handOut.giveUp();
    await closed;
    return DONE;
  }

  async throw(error: unknown): Promise<IteratorReturnResult<undefined>> {
    await this.return();
    throw error;
  }

  /** The streams that it reads now. */
  get streams(): readonly string[] {
    return this.consumer?.streams ?? [];
  }

  /** Messages that closing now would lose or repeat. */
  get unsettled(): number {
    return this.consumer?.unsettled ?? 0;
  }

  /** Whether it has ended, and its connections are closed. */
  get hasEnded(): boolean {
    return this.isClosed;
  }

  /** Ends the loop once it has settled what it has, or the time for it is over. Never rejects. */
  end(): Promise<void> {
    this.closed ??= this.close();
    return this.closed;
  }

  /** @throws ConnectionClosedError */
  async recorded(): Promise<void> {
    await this.consumer?.recorded();
    if (this.consumer?.isClosed === true) throw new ConnectionClosedError('Redis');
  }

  private async close(): Promise<void> {
    this.ending.abort();
    this.place.signal?.removeEventListener('abort', this.onAbort);
    // First, so that what fails from now on is given back.
    const closed = this.consumer?.close();
    this.handOut.end();
    await closed;
    this.isClosed = true;
  }

  private readonly onAbort = (): void => void this.end();

  private open(): void {
    if (this.consumer !== undefined || this.closed !== undefined) return;
    const { target, options, signal } = this.place;
    if (signal?.aborted === true) return this.onAbort();
    signal?.addEventListener('abort', this.onAbort, { once: true });
    const wildcards = isWildcard(target) ? [target] : [];
    const named = wildcards.length === 0 ? [this.consumed(target, wildcards)] : [];
    const consumed = (stream: string): ConsumedStream => this.consumed(stream, wildcards);
    this.consumer = new Consumer(options, named, { wildcards, consumed }, this.logger);
    void this.run(this.consumer);
  }

  private async run(consumer: Consumer): Promise<void> {
    const { options, target, untilEmpty } = this.place;
    try {
      await consumer.start(() => undefined);
      this.logger.log(text.reading([target], options.group, options.consumer));
      this.onReading();
      void notePartitionCounts(consumer.connections.commands, options, [target], this.logger);
      if (untilEmpty) await this.untilFinished(consumer);
    } catch (error) {
      if (!this.ending.signal.aborted) this.failure = { error };
    }
    if (untilEmpty || this.failure !== undefined) await this.end();
  }

  /** @throws what Redis refused */
  private async untilFinished(consumer: Consumer): Promise<void> {
    const { signal } = this.ending;
    let waitMs = FINISHED_MS.first;
    while (!signal.aborted) {
      // While the loop has something to do, nobody waits for the answer.
      if (!this.handOut.isIdle) waitMs = FINISHED_MS.first;
      else if (await this.hasFinished(consumer)) return;
      await delay(waitMs, undefined, { signal });
      waitMs = Math.min(2 * waitMs, FINISHED_MS.longest);
    }
  }

  private async hasFinished(consumer: Consumer): Promise<boolean> {
    try {
      return await consumer.hasFinished();
    } catch (error) {
      if (isRefusal(error)) throw error;
      // Redis is away, which is logged elsewhere.
      return false;
    }
  }

  private consumed(stream: string, wildcards: readonly string[]): ConsumedStream {
    const { handOut, logger } = this;
    const { subscription, options } = this.place;
    const { group, consumer, schemas } = options;
    const handler = {
      handler: handOut.handle.bind(handOut),
      name: undefined,
      answers: false,
    };
    const where = { stream, group, consumer };
    const handle = invoker([handler], where, 'in-order', schemas.get(stream), () => undefined);
    return {
      stream,
      options: subscription,
      gate: handOut,
      isNamed: wildcards.length === 0,
      wildcards,
      invoke: (message, signal) => {
        if (message.request !== undefined && !this.isSaidOfRequests) {
          this.isSaidOfRequests = true;
          logger.warn(text.requestsNotPulled(stream, group));
        }
        return handle(message, signal);
      },
    };
  }
}
