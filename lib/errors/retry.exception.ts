import { RpcException } from '@nestjs/microservices';
import { retryAsked } from './errors.messages.js';

/**
 * Thrown by a handler to have its message tried again at a time of its own choice. It counts as an attempt; after the last
 * one the message becomes a dead letter all the same.
 *
 * @example
 * ```ts
 * if (response.status === 429) throw new RetryException({ delayMs: 30_000 });
 * ```
 */
export class RetryException extends RpcException {
  /** In how many ms, 0 or more. */
  readonly delayMs: number;

  constructor({ delayMs }: { delayMs: number }) {
    super(retryAsked(delayMs));
    this.delayMs = delayMs;
  }
}
