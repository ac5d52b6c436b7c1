import { type DynamicModule, Module } from '@nestjs/common';
import { RedisStreamsModule } from 'nestjs-redis-streams';

import { Bank } from './bank.js';
import { PaymentsController } from './payments.controller.js';

@Module({})
export class AppModule {
  static register(connection: string): DynamicModule {
    return {
      module: AppModule,
      imports: [
        RedisStreamsModule.forRoot({ connection, keyPrefix: 'sample-03:', group: 'payments-desk' }),
      ],
      controllers: [PaymentsController],
      providers: [Bank],
    };
  }
}
