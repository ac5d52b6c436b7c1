import { shareClasses } from './copies.js';
import { RpcException } from '@nestjs/microservices';
import { InvalidOptionsError, RedisStreamsError } from './redis-streams.error.js';
import { cutText, isA, propertyOf, shown, textOf } from './thrown.js';

/** The longest delay before an attempt: ten years. */
const LONGEST_DELAY_MS = 10 * 365 * 24 * 60 * 60 * 1_000;

export const DELAY_ALLOWED = `a number of ms, 0 to ${LONGEST_DELAY_MS}`;

/** Whether a number can be waited for: handlers and backoff functions may give anything. */
export const isDelay = (delayMs: unknown): delayMs is number =>
  typeof delayMs === 'number' && delayMs >= 0 && delayMs <= LONGEST_DELAY_MS;

/** @throws InvalidOptionsError if it is no delay */
export function requireDelay(path: string, delayMs: unknown): number {
  if (isDelay(delayMs)) return delayMs;
  throw new InvalidOptionsError(path, cutText(textOf(delayMs), 100), DELAY_ALLOWED);
}

/**
 * Thrown by a handler to have its message tried again after a delay of its own choice. It counts as an attempt: after the
 * last one the message still becomes a dead letter.
 *
 * @example
 * ```ts
 * if (response.status === 429) throw new RetryException({ delayMs: 30_000 });
 * ```
 */
export class RetryException extends RpcException {
  /** The delay in ms, 0 to ten years. */
  readonly delayMs: number;

  /**
   * @param options `cause`: what made the handler give up this attempt
   * @throws InvalidOptionsError if `delayMs` is no delay. If the handler does not catch it, that is its failure
   */
  constructor({ delayMs }: { delayMs: number }, options?: ErrorOptions) {
    super(`Try again in ${requireDelay('RetryException.delayMs', delayMs)} ms`);
    this.delayMs = delayMs;
    keepCause(this, options);
  }
}

/**
 * Thrown by a handler whose message will never succeed: it becomes a dead letter now.
 *
 * @example
 * ```ts
 * if (order.total < 0) throw new DeadLetterException('negative total');
 * ```
 */
export class DeadLetterException extends RpcException {
  /** Kept with the dead letter. */
  readonly reason: string;

  /** @param options `cause`: the error that shows that it will never succeed */
  constructor(reason: string, options?: ErrorOptions) {
    super(reason);
    this.reason = reason;
    keepCause(this, options);
  }
}

/** As the constructor of `Error` does it; that of Nest's `RpcException` takes no options. */
function keepCause(error: Error, options: ErrorOptions = {}): void {
  if (!('cause' in options)) return;
  const { cause } = options;
  Object.defineProperty(error, 'cause', { value: cause, writable: true, configurable: true });
}

/** Whether something that was thrown decides what becomes of the message. */
export const isDecision = (thrown: unknown): thrown is DeadLetterException | RetryException =>
  isA(thrown, DeadLetterException) || isA(thrown, RetryException);

/**
 * A decision with the error that it was made of as its cause, unless it has a cause. It is a copy: the app may throw the same
 * object for many messages.
 */
export function withCause(decision: RpcException, cause: unknown): unknown {
  if (propertyOf(decision, 'cause') !== undefined) return decision;
  try {
    const { message, stack } = decision;
    const copy = new Error(message, { cause });
    const { stack: _, ...own } = Object.getOwnPropertyDescriptors(decision);
    Object.setPrototypeOf(copy, Object.getPrototypeOf(decision));
    Object.defineProperties(copy, own);
    return Object.defineProperty(copy, 'stack', { value: stack, configurable: true });
  } catch {
    // A Proxy, for example.
    return decision;
  }
}

/** `ack()`, `retry()` or `deadLetter()` was called on a context after one of them had been called already. */
export class SettledAlreadyError extends RedisStreamsError {
  readonly code = 'SETTLED_ALREADY';

  constructor(readonly entryId: string) {
    super(
      `Entry ${shown(entryId)} is settled already: the first of ack(), retry() and deadLetter() counts`,
    );
  }
}

/**
 * A handler took longer than `handlerTimeoutMs`: the reason of its signal, and of the failed attempt. What it still does may
 * overlap the next attempt.
 */
export class HandlerTimeoutError extends RedisStreamsError {
  readonly code = 'HANDLER_TIMEOUT';

  constructor(
    readonly stream: string,
    readonly entryId: string,
    readonly timeoutMs: number,
  ) {
    super(
      `The handler of entry ${shown(entryId)} of stream "${shown(stream)}" did not end within ${timeoutMs} ms`,
    );
  }
}

/** The reason of a handler's signal if another consumer has its message now: what it still does may be done twice. */
export class LeaseLostError extends RedisStreamsError {
  readonly code = 'LEASE_LOST';

  constructor(
    readonly stream: string,
    readonly entryId: string,
  ) {
    super(
      `The lease of entry ${shown(entryId)} of stream "${shown(stream)}" is lost: another consumer may have the message`,
    );
  }
}

/**
 * The reason of a handler's signal if its caller has gone, has unsubscribed, or has waited longer than
 * `requestTimeoutMs`: nobody will see its result.
 */
export class RequestAbandonedError extends RedisStreamsError {
  readonly code = 'REQUEST_ABANDONED';

  constructor(
    readonly stream: string,
    readonly messageId: string,
  ) {
    super(
      `Nobody waits for the reply to request ${shown(messageId)} on stream "${shown(stream)}" any longer`,
    );
  }
}

/**
 * A loop over `RedisStreamsPull.from()` has ended. Without an entry, `from()` was called after `close()`. With one, the loop had
 * that message and did not settle it: it was given back to its group, where it runs again, or it became a dead letter with
 * `delivery: 'at-most-once'`.
 */
export class PullEndedError extends RedisStreamsError {
  readonly code = 'PULL_ENDED';

  constructor(
    readonly stream: string,
    readonly entryId?: string,
  ) {
    super(
      entryId === undefined
        ? `Stream "${shown(stream)}" cannot be pulled: this RedisStreamsPull is closed`
        : `The loop over stream "${shown(stream)}" ended before it settled entry ${shown(entryId)}`,
    );
  }
}

/**
 * The handler of a request gave values faster than Redis takes them, and `replyBufferBytes` of them wait already. The caller gets
 * those, and then this error.
 */
export class RepliesTooFastError extends RedisStreamsError {
  readonly code = 'REPLIES_TOO_FAST';

  constructor(
    readonly stream: string,
    readonly messageId: string,
    readonly replyBufferBytes: number,
  ) {
    super(
      `The handler of request "${shown(messageId)}" in stream "${shown(stream)}" gives values faster than Redis takes them: more than ` +
        `replyBufferBytes (${replyBufferBytes}) wait. Return an async iterable, which is asked for no more than Redis takes, or allow more`,
    );
  }
}

shareClasses({
  RetryException,
  DeadLetterException,
  SettledAlreadyError,
  HandlerTimeoutError,
  LeaseLostError,
  RequestAbandonedError,
  PullEndedError,
  RepliesTooFastError,
});
