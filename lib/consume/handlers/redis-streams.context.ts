import { shareClasses } from '../../errors/copies.js';
import { BaseRpcContext } from '@nestjs/microservices';
import { requireDelay, SettledAlreadyError } from '../../errors/handler.errors.js';
import { textOf } from '../../errors/thrown.js';
import { publishedAtMs } from '../../wire/ids.js';
import type { RunSignal, Verdict } from './run.js';
import type { Message } from '../message.js';

/** What {@link RedisStreamsContext} knows about a message, and what `getArgs()` returns. */
export type RedisStreamsContextArgs = [
  message: Message,
  where: { readonly stream: string; readonly group: string; readonly consumer: string },
  signal: RunSignal,
];

/**
 * What a handler can ask about the message that it was given, with `@Ctx()`.
 *
 * @example
 * ```ts
 * @EventPattern<string>('orders', subscription({ concurrency: 8 }))
 * async onOrder(@Payload() order: Order, @Ctx() context: RedisStreamsContext) {
 *   await this.billing.charge(order, { idempotencyKey: context.getMessageId() });
 * }
 * ```
 */
export class RedisStreamsContext extends BaseRpcContext<RedisStreamsContextArgs> {
  private byHand: Verdict | undefined;

  /** The stream's name, without `keyPrefix`. */
  getStream(): string {
    return this.args[1].stream;
  }

  /** The number of its partition, from 0; `undefined` if its stream has none. */
  getPartition(): number | undefined {
    return this.args[0].partition;
  }

  /** What kind of message it is: the stream's name unless its producer set another. */
  getName(): string {
    return this.args[0].envelope.name;
  }

  /** Redis's ID of the entry: `1729768245123-0`. The entry of a redrive may be deleted by now. */
  getEntryId(): string {
    return this.args[0].entryId;
  }

  /** The ID that the producer gave the message, or its entry ID. */
  getMessageId(): string {
    return this.args[0].messageId;
  }

  /** The number of this attempt, from 1. A redrive starts with 1 again. */
  getAttempt(): number {
    return this.args[0].attempt;
  }

  getGroup(): string {
    return this.args[1].group;
  }

  getConsumer(): string {
    return this.args[1].consumer;
  }

  /** Text by name; empty if the producer sent none. */
  getHeaders(): Readonly<Record<string, string>> {
    return this.args[0].envelope.headers ?? {};
  }

  /** The ordering key that the producer set; `undefined` if it set none, or the codec cannot carry one. */
  getKey(): string | undefined {
    return this.args[0].envelope.key;
  }

  /** What Nest's dispatch hook attached at the producer; `undefined` if it attached nothing. */
  getMetadata(): Readonly<Record<string, unknown>> | undefined {
    return this.args[0].envelope.metadata;
  }

  /** When Redis took the entry, by its clock. */
  getPublishedAt(): Date {
    return new Date(publishedAtMs(this.args[0].entryId));
  }

  /** Aborted when the lease is lost, the handler times out, or the app closes and the time for running handlers is over. */
  getSignal(): AbortSignal {
    return this.args[2].signal;
  }

  /**
   * Marks the message as handled, even if the handler fails later. It is acknowledged when the handler ends.
   *
   * @throws SettledAlreadyError if it was settled by hand before
   */
  ack(): void {
    this.settle({ kind: 'handled' });
  }

  /**
   * Has the message tried again in `delayMs`, 0 to ten years. This run counts as an attempt.
   *
   * @throws SettledAlreadyError if it was settled by hand before
   * @throws InvalidOptionsError if `delayMs` is no delay: the message is not settled then
   */
  retry({ delayMs }: { delayMs: number }): void {
    this.settle({ kind: 'retry', delayMs: requireDelay('context.retry.delayMs', delayMs) });
  }

  /**
   * Makes the message a dead letter when the handler ends.
   *
   * @throws SettledAlreadyError if it was settled by hand before
   */
  deadLetter(reason: string): void {
    this.settle({ kind: 'dead-letter', reason: textOf(reason), error: undefined });
  }

  /** @internal */
  get verdict(): Verdict | undefined {
    return this.byHand;
  }

  private settle(verdict: Verdict): void {
    if (this.byHand !== undefined) throw new SettledAlreadyError(this.getEntryId());
    this.byHand = verdict;
  }
}

shareClasses({ RedisStreamsContext });
