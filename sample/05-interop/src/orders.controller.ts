import { Controller, Logger } from '@nestjs/common';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import {
  ClientRedisStreams,
  RedisStreamsContext,
  RedisStreamsRecordBuilder,
} from 'nestjs-redis-streams';
import { firstValueFrom } from 'rxjs';

import type { Order } from './order.js';

@Controller()
export class OrdersController {
  private readonly logger = new Logger('Orders');

  constructor(private readonly client: ClientRedisStreams) {}

  /** From Python. Orders to be shipped by Go are published to another stream, in the format that Go reads. */
  @EventPattern<string>('sample-05-orders')
  async onOrder(@Payload() order: Order, @Ctx() context: RedisStreamsContext): Promise<void> {
    this.logger.log(`${context.getName()}: ${order.quantity} × ${order.order_id}`);
    const record = new RedisStreamsRecordBuilder(order)
      .setMessageId(`ship:${order.order_id}`)
      .setName('orders.ShipOrder')
      .setHeaders({ trace: context.getEntryId() })
      .build();
    await firstValueFrom(this.client.emit('sample-05-shipments', record));
  }

  /** From Go: its metadata arrives as headers. */
  @EventPattern<string>('sample-05-shipped')
  onShipped(@Payload() order: Pick<Order, 'order_id'>, @Ctx() context: RedisStreamsContext): void {
    const { carrier } = context.getHeaders();
    this.logger.log(`${context.getName()}: ${order.order_id}, by ${carrier}`);
  }
}
