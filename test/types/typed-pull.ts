/**
 * What the compiler tells users of `RedisStreamsPull`. Nothing here runs: `npm run check:types` is the test, and an
 * expected error that does not occur is an error.
 */
import { Injectable } from '@nestjs/common';
import { type PulledMessage, RedisStreamsContext, RedisStreamsPull } from 'nestjs-redis-streams';
import { type Equal, expectType } from './equal.js';

interface Order {
  id: string;
}
interface Payment {
  amount: number;
}

/** Without types it takes any stream, and the payload is what the program says, or unknown. */
@Injectable()
export class UntypedWorker {
  constructor(private readonly pull: RedisStreamsPull) {}

  async work(): Promise<void> {
    for await (const message of this.pull.from<Order>('orders', { concurrency: 8 })) {
      expectType<Equal<typeof message, PulledMessage<Order>>>();
      expectType<Equal<typeof message.payload, Order>>();
      const context: RedisStreamsContext = message;
      await (context.getAttempt() > 1 ? message.ack() : message.retry({ delayMs: 100 }));
    }
    for await (const { payload } of this.pull.from('orders', { untilEmpty: true })) {
      expectType<Equal<typeof payload, unknown>>();
    }
    // @ts-expect-error: a loop is one handler
    this.pull.from('orders', { handlers: 'in-order' });
    // @ts-expect-error: no such option
    this.pull.from('orders', { untillEmpty: true });
  }
}

/** With types it takes the streams that they name. */
@Injectable()
export class TypedWorker {
  constructor(private readonly pull: RedisStreamsPull<{ orders: Order; payments: Payment }>) {}

  async work(): Promise<void> {
    for await (const { payload } of this.pull.from('payments')) {
      expectType<Equal<typeof payload, Payment>>();
    }
    // @ts-expect-error: no such stream
    this.pull.from('order');
  }
}

/** Typed and untyped ones are assignable to each other. */
export const untyped: RedisStreamsPull = new RedisStreamsPull<{ orders: Order }>({ group: 'a' });
