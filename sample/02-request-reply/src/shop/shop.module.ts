import { Module, type DynamicModule } from '@nestjs/common';
import { ClientsModule } from '@nestjs/microservices';
import { ClientRedisStreams } from 'nestjs-redis-streams';

import { ShopService } from './shop.service.js';

/** Requests prices. It reads no stream, so Nest's own ClientsModule is enough. */
@Module({})
export class ShopModule {
  static register(connection: string): DynamicModule {
    return {
      module: ShopModule,
      imports: [
        ClientsModule.register([
          {
            name: 'QUOTES',
            customClass: ClientRedisStreams,
            options: { connection, requestTimeoutMs: 2_000 },
          },
        ]),
      ],
      providers: [ShopService],
    };
  }
}
