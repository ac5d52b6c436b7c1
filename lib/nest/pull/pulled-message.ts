import { DeadLetterException, RetryException } from '../../errors/handler.errors.js';
import { textOf } from '../../errors/thrown.js';
import {
  RedisStreamsContext,
  type RedisStreamsContextArgs,
} from '../../consume/handlers/redis-streams.context.js';
import type { Handed } from './handed.js';

/** How a message is tried again. */
export interface RetryPulled {
  /**
   * When, in ms from now, 0 to ten years.
   *
   * @default the backoff of the option `retry`
   */
  readonly delayMs?: number;
  /** Why: for the log, events and, after the last attempt, the dead letter. */
  readonly error?: unknown;
}

/**
 * A message that a loop over `RedisStreamsPull.from()` has: what a handler's context says about it, and its payload. It stays
 * the loop's, with its lease renewed, until one of `ack()`, `retry()` and `deadLetter()` settles it. They resolve once that is
 * recorded in Redis; those of one turn of the event loop are recorded in one step.
 *
 * If its signal (`getSignal()`) is aborted, the message is not the loop's any more, and settling it rejects with the signal's
 * reason: `LeaseLostError`, `HandlerTimeoutError`, or `ConnectionClosedError` if closing ran out of time. After the loop has
 * ended without settling it, that is a `PullEndedError`.
 */
export class PulledMessage<Payload = unknown> extends RedisStreamsContext {
  /** @internal */
  constructor(
    args: RedisStreamsContextArgs,
    /** What the codec has read, or the output of the stream's schema. */
    readonly payload: Payload,
    private readonly handed: Handed,
  ) {
    super(args);
  }

  /**
   * The message is handled. Resolves once it is in the ledger and acknowledged.
   *
   * @throws SettledAlreadyError if it was settled before, and what the class says
   */
  override async ack(): Promise<void> {
    await this.handed.settle();
  }

  /**
   * Has the message tried again, by the policy of the option `retry`, or in `delayMs`. This run counts as an attempt: after the
   * last one the message becomes a dead letter.
   *
   * @throws SettledAlreadyError if it was settled before, InvalidOptionsError if `delayMs` is no delay, and what the class says
   */
  override async retry({ delayMs, error }: RetryPulled = {}): Promise<void> {
    const reason = error ?? new Error('retry() was called');
    if (delayMs === undefined) return this.handed.settle(reason);
    await this.handed.settle(Object.assign(new RetryException({ delayMs }), { cause: error }));
  }

  /**
   * Makes the message a dead letter now.
   *
   * @throws SettledAlreadyError if it was settled before, and what the class says
   */
  override async deadLetter(reason: string): Promise<void> {
    await this.handed.settle(new DeadLetterException(textOf(reason)));
  }
}
