/**
 * What the compiler tells users of Nest's typed `@EventPattern` (since Nest 12.1). Nothing here runs: `npm
 * run check:types` is the test.
 */
import { Controller } from '@nestjs/common';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import { type RedisStreamsContext, subscription } from 'nestjs-redis-streams';

interface Order {
  id: string;
}
interface Payment {
  amount: number;
}
interface Events {
  orders: Order;
  payments: Payment;
}
type Orders = Pick<Events, 'orders'>;

@Controller()
export class TypedHandlers {
  @EventPattern<Orders>('orders')
  plain(@Payload() _order: Order): void {}

  @EventPattern<Orders>('orders', subscription({ startFrom: 'beginning' }))
  async withOptions(@Payload() _order: Order): Promise<void> {}

  // @ts-expect-error: the payload of another stream
  @EventPattern<Orders>('orders')
  wrongPayload(@Payload() _payment: Payment): void {}

  // @ts-expect-error: the payload of another stream, with options
  @EventPattern<Orders>('orders', subscription({ concurrency: 8 }))
  wrongPayloadWithOptions(@Payload() _payment: Payment): void {}

  // @ts-expect-error: no such stream
  @EventPattern<Events>('order')
  noSuchStream(@Payload() _payload: Order | Payment): void {}

  // Nest compares with the payloads of all streams of the type, which is why one stream is picked above.
  @EventPattern<Events>('orders', subscription())
  anyOfThem(@Payload() _payload: Order | Payment): void {}

  // @ts-expect-error: as soon as this is none, Pick is not needed any more
  @EventPattern<Events>('orders')
  oneOfThem(@Payload() _order: Order): void {}

  // @ts-expect-error: once this is no error, a typed context can be combined with a typed payload
  @EventPattern<Orders>('orders', subscription())
  withContext(@Payload() _order: Order, @Ctx() _context: RedisStreamsContext): void {}

  /** Until then the payload is looked up in the type, and Nest does not compare it. */
  @EventPattern<string>('orders', subscription())
  lookedUp(@Payload() _order: Events['orders'], @Ctx() _context: RedisStreamsContext): void {}

  @EventPattern<{ stream: string; name: string }>({ stream: 'orders', name: 'order.created' })
  named(@Payload() _order: Events['orders']): void {}
}
