import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { PullEndedError } from '../../errors/handler.errors.js';
import { InvalidOptionsError, InvalidStreamNameError } from '../../errors/redis-streams.error.js';
import { SafeLogger } from '../../errors/safe-logger.js';
import { textOf } from '../../errors/thrown.js';
import { checkOptions } from '../../options/check-options.js';
import {
  type PullOptions,
  pullSchemas,
  type RedisStreamsPullOptions,
} from '../../options/pull-options.js';
import { resolvePullOptions, resolveSubscription } from '../../options/resolve-options.js';
import type {
  ResolvedServerOptions,
  ResolvedSubscription,
} from '../../options/resolved-options.js';
import { consumerName } from '../../wire/ids.js';
import { streamKey } from '../../wire/stream-keys.js';
import { isWildcard, requireKeysOfItsOwn, wildcardMatcher } from '../../wire/stream-names.js';
import { withInstanceName } from '../instance-name.js';
import * as text from '../nest.messages.js';
import { type PulledMessages, PullLoop } from './pull-loop.js';

/** Any stream, if the class has no types of its own (`unknown`, `any`); none if it has. */
type UntypedStream<Events> = unknown extends Events ? string : never;

/** A stream that is pulled, and how. */
interface PulledStream {
  readonly stream: string;
  readonly options: ResolvedSubscription;
}

/**
 * Lets a program take messages when it wants them, instead of having handlers called: for scripts and workers. A loop is a
 * member of the group like a server, under the same ledger, leases, recovery, retries and dead letters, with a consumer name and
 * two connections of its own. The module provides it; without the module, pass the options.
 *
 * @example
 * ```ts
 * constructor(private readonly pull: RedisStreamsPull) {}
 *
 * for await (const message of this.pull.from<Order>('orders', { concurrency: 8 })) {
 *   try {
 *     await this.billing.charge(message.payload, { idempotencyKey: message.getMessageId() });
 *     await message.ack();
 *   } catch (error) {
 *     await message.retry({ error });
 *   }
 * }
 * ```
 * @example A script that empties a stream and exits:
 * ```ts
 * const pull = new RedisStreamsPull({ connection: 'redis://localhost:6379', group: 'reports', startFrom: 'beginning' });
 * for await (const message of pull.from('orders', { untilEmpty: true })) {
 *   report.add(message.payload);
 *   await message.ack();
 * }
 * ```
 * @example With streams and payloads that the compiler checks:
 * ```ts
 * constructor(private readonly pull: RedisStreamsPull<{ orders: Order; payments: Payment }>) {}
 * ```
 */
@Injectable()
// oxlint-disable-next-line typescript/no-explicit-any -- so that typed and untyped ones are assignable to each other
export class RedisStreamsPull<Events = any> implements OnModuleDestroy {
  private readonly logger: SafeLogger;
  private readonly options: ResolvedServerOptions;
  private readonly loops = new Set<PullLoop>();
  /** What was pulled so far, by stream or wildcard: the jobs look after it as long as the app runs. */
  private readonly pulled = new Map<string, ResolvedSubscription>();
  private readonly found = new Map<string, ResolvedSubscription>();
  private isClosed = false;

  /** @throws InvalidOptionsError */
  constructor(
    options: RedisStreamsPullOptions | ResolvedServerOptions,
    /** In the module: what its server reads. */
    private readonly handled: () => readonly { readonly stream: string }[] = () => [],
  ) {
    this.options = resolvePullOptions(options);
    this.logger = new SafeLogger(withInstanceName(RedisStreamsPull.name, this.options.name));
  }

  /**
   * The messages of a stream, one after the other, for `for await`. It connects with the first message that is asked for, and
   * waits for Redis as long as necessary. Each call is a member of the group of its own: two loops over one stream share its
   * messages, and so do a loop and handlers.
   *
   * Leaving the loop (`break`, `return`, an error in its body) ends it: what it has settled is recorded, and the rest is given
   * back without being charged an attempt. With `delivery: 'at-most-once'`, which must not run anything twice, the rest becomes
   * dead letters.
   *
   * @param stream its name, or a wildcard such as `orders.*`
   * @throws InvalidOptionsError, InvalidStreamNameError; PullEndedError after `close()`
   */
  from<Payload = unknown>(
    stream: UntypedStream<Events>,
    options?: PullOptions,
  ): PulledMessages<Payload>;
  from<Stream extends keyof Events & string>(
    stream: Stream,
    options?: PullOptions,
  ): PulledMessages<Events[Stream]>;
  from(stream: string, pullOptions: PullOptions = {}): PulledMessages {
    const { keyPrefix, partitions, subscription: base } = this.options;
    checkOptions(pullSchemas.from, pullOptions, 'pull.from()');
    if (typeof stream !== 'string') throw new InvalidStreamNameError(textOf(stream), text.NOT_TEXT);
    streamKey(keyPrefix, stream);
    requireKeysOfItsOwn(keyPrefix, stream, partitions);
    this.requireNoPartitions(stream);
    if (this.isClosed) throw new PullEndedError(stream);
    this.forgetEnded();
    const { untilEmpty = false, signal, ...own } = pullOptions;
    const subscription = resolveSubscription(base, own);
    const options = { ...this.options, consumer: this.freeName() };
    const loop: PullLoop = new PullLoop(
      { target: stream, options, subscription, untilEmpty, signal },
      this.logger,
      () => this.warnOfHandlers(loop.streams),
    );
    this.pulled.set(stream, subscription);
    this.loops.add(loop);
    return loop;
  }

  /**
   * Ends all loops: nothing more is handed out, and each loop ends once it has settled what it has, or after
   * `shutdown.drainTimeoutMs`; what is not settled by then is given back. Closes their connections, and never rejects. The module
   * does this before the app's providers are destroyed.
   */
  async close(): Promise<void> {
    this.isClosed = true;
    await Promise.all([...this.loops].map((loop) => loop.end()));
  }

  async onModuleDestroy(): Promise<void> {
    await this.close();
  }

  /** @internal What is pulled, or was, for the jobs: also the streams that were found for wildcards. */
  subscriptions(): PulledStream[] {
    this.noteFound();
    const named = [...this.pulled].filter(([target]) => !isWildcard(target));
    return [...new Map([...this.found, ...named])].map(([stream, options]) => ({
      stream,
      options,
    }));
  }

  /** @internal Messages that closing now would lose or repeat. */
  get unsettled(): number {
    return [...this.loops].reduce((sum, loop) => sum + loop.unsettled, 0);
  }

  /** @internal The wildcards that are pulled. */
  get wildcards(): string[] {
    return [...this.pulled.keys()].filter(isWildcard);
  }

  /** @internal What a stream that is pulled was pulled with. */
  optionsOf(stream: string): ResolvedSubscription | undefined {
    const wildcard = this.wildcards.find((each) => wildcardMatcher(each)(stream));
    return this.pulled.get(stream) ?? this.pulled.get(wildcard ?? '');
  }

  /** @internal Says which of these streams, or of all that are pulled, handlers of this app read too. */
  warnOfHandlers(
    pulled: readonly string[] = [...this.loops].flatMap(({ streams }) => streams),
  ): void {
    const both = this.handled().flatMap(({ stream }) => (pulled.includes(stream) ? stream : []));
    if (both.length > 0) this.logger.warn(text.pulledAndHandled(both, this.options.group));
  }

  private noteFound(): void {
    for (const { streams, place } of this.loops) {
      for (const stream of streams) this.found.set(stream, place.subscription);
    }
  }

  private forgetEnded(): void {
    this.noteFound();
    for (const loop of this.loops) if (loop.hasEnded) this.loops.delete(loop);
  }

  /** A name that no other loop of this process has: what is pending for one must not be resumed by another. */
  private freeName(): string {
    const { consumer, consumerIsGenerated, group } = this.options;
    if (consumerIsGenerated) return consumerName(group);
    const taken = new Set([...this.loops].map(({ place }) => place.options.consumer));
    for (let number = 1; ; number++) {
      const name = `${consumer}.pull-${number}`;
      if (!taken.has(name)) return name;
    }
  }

  private requireNoPartitions(target: string): void {
    if (!isWildcard(target)) return;
    const matches = wildcardMatcher(target);
    for (const [stream, count] of this.options.partitions) {
      if (!matches(stream)) continue;
      const path = `streams.${stream}.partitions`;
      throw new InvalidOptionsError(path, String(count), text.wildcardOnly(target));
    }
  }
}
