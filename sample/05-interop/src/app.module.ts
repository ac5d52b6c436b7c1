import { type DynamicModule, Module } from '@nestjs/common';
import { RedisStreamsModule, WatermillCodec } from 'nestjs-redis-streams';

import { Order } from './order.js';
import { OrdersController } from './orders.controller.js';

@Module({})
export class AppModule {
  static register(connection: string): DynamicModule {
    return {
      module: AppModule,
      imports: [
        RedisStreamsModule.forRoot({
          connection,
          group: 'sample-05-nest',
          startFrom: 'beginning',
          streams: {
            // The default codec is dtpyfw's format.
            'sample-05-orders': { schema: Order },
            'sample-05-shipments': { codec: new WatermillCodec() },
            'sample-05-shipped': { codec: new WatermillCodec() },
          },
        }),
      ],
      controllers: [OrdersController],
    };
  }
}
