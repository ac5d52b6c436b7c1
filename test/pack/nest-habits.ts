/**
 * What developers expect of any Nest transport: guards with a context, filters that decide, callers that leave, handlers that can be
 * looked up, and mistakes that are named. Each packed app is this file, compiled differently.
 */
import 'reflect-metadata';

import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as delay } from 'node:timers/promises';

import {
  type CanActivate,
  Catch,
  Controller,
  type DynamicModule,
  type ExceptionFilter,
  type ExecutionContext,
  Module,
  UseFilters,
  UseGuards,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import {
  ClientRedisStreams,
  DeadLetterException,
  DeadLetters,
  RedisStreamsContext,
  RedisStreamsModule,
  type RedisStreamsModuleOptions,
  ServerRedisStreams,
} from 'nestjs-redis-streams';
import { startRedis } from 'nestjs-redis-streams/testing';
import { firstValueFrom } from 'rxjs';

const tenants = new AsyncLocalStorage<string>();
const seen: (string | undefined)[] = [];
const declined = new Error('card 7 was declined');
let signal: AbortSignal | undefined;

class Entering implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    seen.push(tenants.getStore());
    tenants.enterWith(context.switchToRpc().getContext<RedisStreamsContext>().getStream());
    return true;
  }
}

@Catch()
class Deciding implements ExceptionFilter {
  catch(error: unknown): never {
    throw new DeadLetterException('never again', { cause: error });
  }
}

@Controller()
@UseGuards(Entering)
class Handlers {
  @EventPattern<string>('orders')
  onOrder(@Payload() _order: unknown): void {
    seen.push(tenants.getStore());
  }

  @EventPattern<string>('payments')
  @UseFilters(Deciding)
  onPayment(@Payload() _payment: unknown): void {
    throw declined;
  }

  @MessagePattern('slow')
  async slow(@Payload() _request: unknown, @Ctx() context: RedisStreamsContext): Promise<void> {
    signal = context.getSignal();
    await new Promise((resolve) => signal?.addEventListener('abort', resolve));
  }
}

@Module({})
class AppModule {
  static register(options: RedisStreamsModuleOptions): DynamicModule {
    const imports = [RedisStreamsModule.forRoot(options)];
    return { module: AppModule, imports, controllers: [Handlers] };
  }
}

async function until(what: () => unknown): Promise<void> {
  while (!(await what())) await delay(20);
}

async function main(): Promise<void> {
  const redis = await startRedis();
  const options = { connection: redis.url, group: 'billing', keyPrefix: `habits-${process.pid}:` };
  const app = await NestFactory.create(AppModule.register(options));
  const server = app.get(ServerRedisStreams);
  app.connectMicroservice({ strategy: server }, { inheritAppConfig: true });
  await app.startAllMicroservices();
  const client = app.get(ClientRedisStreams);

  assert.deepEqual([...server.getHandlers().keys()].sort(), ['orders', 'payments', 'slow']);
  assert.equal(typeof server.getHandlerByPattern('slow'), 'function');

  await firstValueFrom(client.emitBatch('orders', [1, 2, 3]));
  await until(() => seen.length === 6);
  assert.deepEqual(seen, [undefined, 'orders', undefined, 'orders', undefined, 'orders']);

  await firstValueFrom(client.emit('payments', { card: 7 }));
  const lost = app.get(DeadLetters);
  await until(() => lost.count({ stream: 'payments' }));
  const [letter] = await lost.list({ stream: 'payments' });
  assert.equal(letter?.reason, 'never again');
  assert.match(letter.error?.causes ?? '', /card 7 was declined/);

  const caller = client.send('slow', 1).subscribe();
  await until(() => signal);
  caller.unsubscribe();
  await until(() => signal?.aborted);

  await assert.rejects(firstValueFrom(client.send('nobody', 1)), { code: 'NO_CONSUMER' });
  await assert.rejects(firstValueFrom(client.emit('orders.*', 1)), {
    code: 'MESSAGE_NOT_ENCODABLE',
  });
  await assert.rejects(
    NestFactory.create(
      {
        module: AppModule,
        imports: ['a', 'b'].map((group) => RedisStreamsModule.forRoot({ group })),
      },
      { abortOnError: false, logger: false },
    ),
    { code: 'INVALID_OPTIONS' },
  );
  const nowhere = new ClientRedisStreams({
    connection: 'redis://127.0.0.1:1',
    publishTimeoutMs: 200,
  });
  await assert.rejects(nowhere.connect(), { code: 'NOT_CONNECTED' });
  await nowhere.close();

  await app.close();
  await redis.stop();
}

void main();
