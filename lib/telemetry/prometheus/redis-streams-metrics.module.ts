import { type DynamicModule, Module } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import type { RedisStreamsMetricsOptions } from './metrics-options.js';
import { RedisStreamsMetrics } from './redis-streams-metrics.js';

/**
 * Exports what the streams of an app do as metrics of `prom-client`. Import it beside `RedisStreamsModule`, and serve the
 * registry as you serve it for other metrics.
 *
 * @example
 * ```ts
 * @Module({ imports: [RedisStreamsModule.forRoot({ group: 'billing' }), RedisStreamsMetricsModule.forRoot()] })
 * export class AppModule {}
 * ```
 */
@Module({})
export class RedisStreamsMetricsModule {
  static forRoot(options: RedisStreamsMetricsOptions = {}): DynamicModule {
    return {
      module: RedisStreamsMetricsModule,
      providers: [
        {
          provide: RedisStreamsMetrics,
          inject: [ModuleRef],
          useFactory: (moduleRef: ModuleRef) => new RedisStreamsMetrics(moduleRef, options),
        },
      ],
    };
  }
}
