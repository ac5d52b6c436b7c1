import { Controller, type INestMicroservice, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern, type MicroserviceOptions, Payload } from '@nestjs/microservices';
import { ServerRedisStreams, subscription } from 'nestjs-redis-streams';

import { GROUP, STREAM } from '../bench-stream.js';

/** A Nest microservice with one handler, and the defaults of this package. */
export async function openService(
  redisUrl: string,
  handle: (payload: unknown) => void,
): Promise<INestMicroservice> {
  @Controller()
  class BenchController {
    @EventPattern(STREAM, subscription({ startFrom: 'beginning' }))
    on(@Payload() payload: unknown): void {
      handle(payload);
    }
  }
  @Module({ controllers: [BenchController] })
  class BenchModule {}
  return NestFactory.createMicroservice<MicroserviceOptions>(BenchModule, {
    strategy: new ServerRedisStreams({ connection: redisUrl, group: GROUP }),
    logger: ['error', 'warn'],
  });
}
