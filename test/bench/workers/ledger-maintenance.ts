import 'reflect-metadata';
import { syncBuiltinESMExports } from 'node:module';
import timers from 'node:timers/promises';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern } from '@nestjs/microservices';
import { LedgerMaintenanceJob, RedisStreamsModule, ServerRedisStreams } from 'nestjs-redis-streams';

import { GROUP, STREAM } from '../bench-stream.js';
import { serveTasks } from './serve-tasks.js';

// It pauses between its steps, so that others can use Redis meanwhile; here only the bench waits.
Object.assign(timers, { setTimeout: () => timers.setImmediate() });
syncBuiltinESMExports();

/** Runs the ledger's maintenance as it would have run by itself. */
serveTasks(async ({ redisUrl }) => {
  @Controller()
  class BenchController {
    @EventPattern(STREAM)
    on(_payload: unknown): void {}
  }
  @Module({
    imports: [RedisStreamsModule.forRoot({ connection: redisUrl, group: GROUP })],
    controllers: [BenchController],
  })
  class BenchModule {}
  const app = await NestFactory.create(BenchModule, { logger: ['error', 'warn'] });
  app.connectMicroservice({ strategy: app.get(ServerRedisStreams) });
  await app.startAllMicroservices();
  const { removed } = await app.get(LedgerMaintenanceJob).run();
  await app.close();
  return [removed];
});
