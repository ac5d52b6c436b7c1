import { setTimeout as delay } from 'node:timers/promises';

import { Controller, Logger } from '@nestjs/common';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import { RedisStreamsContext, subscription } from 'nestjs-redis-streams';

import type { Order } from '../order.js';

const PACKING_MS = 100;

@Controller()
export class ShippingController {
  private readonly logger = new Logger('Shipping');

  @EventPattern<string>('orders', subscription({ startFrom: 'beginning', concurrency: 8 }))
  async onOrder(@Payload() order: Order, @Ctx() context: RedisStreamsContext): Promise<void> {
    await delay(PACKING_MS);
    this.logger.log(
      `${order.quantity} × ${order.item} shipped (order ${order.id}, entry ${context.getEntryId()})`,
    );
  }
}
