import type { DynamicModule, INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ServerRedisStreams } from 'nestjs-redis-streams';

/** Starts a Nest app whose handlers receive messages. */
export async function startService(module: DynamicModule): Promise<INestApplication> {
  const app = await NestFactory.create(module, { logger: ['log', 'fatal'] });
  app.connectMicroservice({ strategy: app.get(ServerRedisStreams) }, { inheritAppConfig: true });
  await app.startAllMicroservices();
  return app.init();
}
