import { Module, type DynamicModule } from '@nestjs/common';
import { RedisStreamsModule } from 'nestjs-redis-streams';

import { BillingController } from './billing.controller.js';
import { OrdersController } from './orders.controller.js';
import { OrdersService } from './orders.service.js';

/** Takes orders over HTTP, publishes them, and bills each as the group `billing`. */
@Module({})
export class ShopModule {
  static register(connection: string): DynamicModule {
    return {
      module: ShopModule,
      imports: [RedisStreamsModule.forRoot({ connection, group: 'billing' })],
      controllers: [OrdersController, BillingController],
      providers: [OrdersService],
    };
  }
}
