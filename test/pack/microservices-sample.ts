/**
 * An app in the style of Nest's microservices sample: a caller over HTTP, a calculator that answers `{ cmd: 'sum' }`, and an event.
 * Only its transport is that of this package. Each packed app is this file, compiled differently.
 */
import 'reflect-metadata';

import assert from 'node:assert/strict';

import { Controller, Get, Inject, Module, Post, type DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  ClientProxy,
  ClientsModule,
  EventPattern,
  MessagePattern,
  Payload,
} from '@nestjs/microservices';
import { ClientRedisStreams, ServerRedisStreams } from 'nestjs-redis-streams';
import { startRedis } from 'nestjs-redis-streams/testing';
import type { Observable } from 'rxjs';

let tell: (user: unknown) => void;
const told = new Promise<unknown>((resolve) => {
  tell = resolve;
});

@Controller()
class MathController {
  @MessagePattern({ cmd: 'sum' })
  sum(@Payload() numbers: number[]): number {
    return numbers.reduce((total, each) => total + each, 0);
  }

  @EventPattern('user_created')
  onUser(@Payload() user: unknown): void {
    tell(user);
  }
}

@Controller()
class AppController {
  constructor(@Inject('MATH_SERVICE') private readonly client: ClientProxy) {}

  @Get('sum')
  sum(): Observable<number> {
    return this.client.send<number>({ cmd: 'sum' }, [1, 2, 3, 4, 5]);
  }

  @Post('users')
  create(): void {
    this.client.emit('user_created', { name: 'Ada' });
  }
}

@Module({})
class AppModule {
  static register(options: { connection: string; keyPrefix: string }): DynamicModule {
    const client = { name: 'MATH_SERVICE', customClass: ClientRedisStreams, options };
    return {
      module: AppModule,
      imports: [ClientsModule.register([client])],
      controllers: [MathController, AppController],
    };
  }
}

async function main(): Promise<void> {
  const redis = await startRedis();
  const options = { connection: redis.url, keyPrefix: `pack-sample-${process.pid}:` };
  const app = await NestFactory.create(AppModule.register(options));
  app.connectMicroservice({ strategy: new ServerRedisStreams({ ...options, group: 'math' }) });
  await app.startAllMicroservices();
  await app.listen(0, '127.0.0.1');
  const url = await app.getUrl();

  assert.equal(await (await fetch(`${url}/sum`)).text(), '15');
  assert.equal((await fetch(`${url}/users`, { method: 'POST' })).status, 201);
  assert.deepEqual(await told, { name: 'Ada' });

  await app.close();
  await redis.stop();
}

void main();
