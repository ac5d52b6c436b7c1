/**
 * An app with everything that observes it: health, metrics, traces. Each observed app is this file, compiled
 * differently.
 */
import 'reflect-metadata';

import assert from 'node:assert/strict';

import { Controller, Get, Inject, Module, type DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern, Payload } from '@nestjs/microservices';
import { HealthCheck, HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { propagation, trace } from '@opentelemetry/api';
import { ClientRedisStreams, RedisStreamsModule, ServerRedisStreams } from 'nestjs-redis-streams';
import { RedisStreamsInstrumentation } from 'nestjs-redis-streams/opentelemetry';
import { RedisStreamsMetricsModule } from 'nestjs-redis-streams/prometheus';
import { RedisStreamsHealthIndicator } from 'nestjs-redis-streams/terminus';
import { startRedis } from 'nestjs-redis-streams/testing';
import { register } from 'prom-client';
import { firstValueFrom } from 'rxjs';

let handle: (order: unknown) => void;
const handled = new Promise<unknown>((resolve) => {
  handle = resolve;
});

@Controller()
class AppController {
  constructor(
    @Inject(HealthCheckService) private readonly health: HealthCheckService,
    @Inject(RedisStreamsHealthIndicator) private readonly streams: RedisStreamsHealthIndicator,
  ) {}

  @EventPattern('orders')
  onOrder(@Payload() order: unknown): void {
    handle(order);
  }

  @Get('ready')
  @HealthCheck()
  ready() {
    const limits = { timeoutMs: 5_000, maxDeadLetters: 0 };
    return this.health.check([() => this.streams.isHealthy('streams', limits)]);
  }

  @Get('not-ready')
  @HealthCheck()
  notReady() {
    return this.health.check([
      async () => {
        // With problems the answer is a 503, in each version of terminus.
        const { streams } = await this.streams.isHealthy('streams', { timeoutMs: 5_000 });
        assert.equal(streams.status, 'up');
        return { streams: { status: 'down', problems: ['as if'] } };
      },
    ]);
  }
}

@Module({})
class AppModule {
  static register(connection: string): DynamicModule {
    return {
      module: AppModule,
      imports: [
        RedisStreamsModule.forRoot({
          connection,
          group: 'billing',
          keyPrefix: `observed-${process.pid}:`,
        }),
        RedisStreamsMetricsModule.forRoot(),
        TerminusModule.forRoot({ logger: false, gracefulShutdownTimeoutMs: 1 }),
      ],
      controllers: [AppController],
      providers: [RedisStreamsHealthIndicator],
    };
  }
}

async function main(): Promise<void> {
  const instrumentation = new RedisStreamsInstrumentation();
  assert.ok(trace.getTracer('app') !== undefined && propagation.fields() !== undefined);
  const redis = await startRedis();
  const app = await NestFactory.create(AppModule.register(redis.url), { logger: ['error'] });
  app.connectMicroservice({ strategy: app.get(ServerRedisStreams) }, { inheritAppConfig: true });
  await app.startAllMicroservices();
  await app.listen(0, '127.0.0.1');
  const url = await app.getUrl();

  await firstValueFrom(app.get(ClientRedisStreams).emit('orders', { item: 'tea' }));
  assert.deepEqual(await handled, { item: 'tea' });

  const ready = await fetch(`${url}/ready`);
  assert.equal(ready.status, 200, await ready.text());
  assert.equal((await fetch(`${url}/not-ready`)).status, 503);

  const metrics = await register.metrics();
  assert.match(metrics, /^redis_streams_up 1$/m);
  assert.match(metrics, /^redis_streams_published_total\{.*outcome="published".*\} 1$/m);

  instrumentation.disable();
  // No process.exit(): anything still open after this keeps the process running, and the run fails.
  await app.close();
  await redis.stop();
}

void main();
