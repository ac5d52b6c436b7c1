import { Module, type DynamicModule } from '@nestjs/common';
import { RedisStreamsModule } from 'nestjs-redis-streams';

import { ShippingController } from './shipping.controller.js';

/** Ships each order as the group `shipping`, which gets all orders independently of billing. */
@Module({})
export class ShippingModule {
  static register(connection: string): DynamicModule {
    return {
      module: ShippingModule,
      imports: [RedisStreamsModule.forRoot({ connection, group: 'shipping' })],
      controllers: [ShippingController],
    };
  }
}
