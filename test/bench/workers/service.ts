import { Controller, type INestMicroservice, Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern, type MicroserviceOptions, Payload } from '@nestjs/microservices';
import { ServerRedisStreams, subscription, type SubscriptionOptions } from 'nestjs-redis-streams';

import { GROUP, STREAM } from '../bench-stream.js';

/** A Nest microservice with one handler, and the defaults of this package unless other options are given. */
export async function openService(
  redisUrl: string,
  handle: (payload: unknown) => unknown,
  options: SubscriptionOptions = {},
): Promise<INestMicroservice> {
  @Controller()
  class BenchController {
    @EventPattern(STREAM, subscription({ startFrom: 'beginning', ...options }))
    on(@Payload() payload: unknown): unknown {
      return handle(payload);
    }
  }
  return openMicroservice(redisUrl, BenchController);
}

/** A Nest microservice with the handlers of one controller. */
export async function openMicroservice(
  redisUrl: string,
  controller: Type,
): Promise<INestMicroservice> {
  @Module({ controllers: [controller] })
  class BenchModule {}
  return NestFactory.createMicroservice<MicroserviceOptions>(BenchModule, {
    strategy: new ServerRedisStreams({ connection: redisUrl, group: GROUP }),
    logger: ['error', 'warn'],
  });
}
