import { Controller, Logger } from '@nestjs/common';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import { RedisStreamsContext, subscription } from 'nestjs-redis-streams';

import type { Order } from '../order.js';

@Controller()
export class BillingController {
  private readonly logger = new Logger('Billing');

  @EventPattern<string>('orders', subscription({ startFrom: 'beginning' }))
  onOrder(@Payload() order: Order, @Ctx() context: RedisStreamsContext): void {
    this.logger.log(
      `${order.quantity} × ${order.item} billed (order ${order.id}, entry ${context.getEntryId()})`,
    );
  }
}
