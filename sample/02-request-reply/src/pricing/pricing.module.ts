import { Module, type DynamicModule } from '@nestjs/common';
import { RedisStreamsModule } from 'nestjs-redis-streams';

import { PricingController } from './pricing.controller.js';

/** Answers requests as the group `pricing`: each is answered by one instance. */
@Module({})
export class PricingModule {
  static register(connection: string): DynamicModule {
    return {
      module: PricingModule,
      imports: [RedisStreamsModule.forRoot({ connection, group: 'pricing' })],
      controllers: [PricingController],
    };
  }
}
