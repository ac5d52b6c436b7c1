import { RpcException } from '@nestjs/microservices';

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

  constructor(reason: string) {
    super(reason);
    this.reason = reason;
  }
}
