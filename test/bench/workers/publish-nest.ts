import 'reflect-metadata';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  ClientRedis,
  EventPattern,
  type MicroserviceOptions,
  Payload,
  Transport,
} from '@nestjs/microservices';
import { lastValueFrom } from 'rxjs';

import { STREAM } from '../bench-stream.js';
import { orderOf } from '../messages/order.js';
import { Tally } from './tally.js';
import { inRounds } from './in-rounds.js';
import { serveTasks } from './serve-tasks.js';

/** Nest's own Redis transport: pub/sub, which keeps nothing for absent subscribers. */
serveTasks(async ({ redisUrl, messages }) => {
  const { hostname: host, port } = new URL(redisUrl);
  const tally = new Tally();
  @Controller()
  class BenchController {
    @EventPattern(STREAM)
    on(@Payload() _payload: unknown): void {
      tally.one();
    }
  }
  @Module({ controllers: [BenchController] })
  class BenchModule {}
  const options = { host, port: Number(port) };
  const app = await NestFactory.createMicroservice<MicroserviceOptions>(BenchModule, {
    transport: Transport.REDIS,
    options,
    logger: ['error', 'warn'],
  });
  const client = new ClientRedis(options);
  await Promise.all([app.listen(), client.connect()]);
  const startedAt = performance.now();
  await inRounds(messages, 50, (n) =>
    lastValueFrom(client.emit(STREAM, orderOf(n)), { defaultValue: undefined }),
  );
  await tally.reached(messages);
  const seconds = (performance.now() - startedAt) / 1000;
  await app.close();
  await client.close();
  return [messages / seconds];
});
