import { afterEach, describe, expect, it } from '@jest/globals';
import { Controller, Get, type INestApplication, Inject, Module, Post } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  ClientProxy,
  ClientsModule,
  EventPattern,
  type MessageHandler,
  MessagePattern,
  Payload,
} from '@nestjs/microservices';
import { firstValueFrom, isObservable, lastValueFrom, type Observable } from 'rxjs';

import { ClientRedisStreams, MessageEncodingError, ServerRedisStreams } from '../../lib/index.js';
import { clientsForTests } from '../support/clients-for-tests.js';
import { freshName } from '../support/fresh-name.js';
import { isCaughtUp } from '../support/group-state.js';
import { recordedLog } from '../support/recorded-log.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach, streamsApp } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
const { clientFor } = clientsForTests(redis);
closeAppsAfterEach();

const GROUP = 'math';
const opened: INestApplication[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((app) => app.close()));
});

const errorOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

describe("an app in the style of Nest's microservices sample", () => {
  it('adds numbers for an HTTP caller, and is told of users, with only its transport changed', async () => {
    const keyPrefix = `${freshName('sample')}:`;
    const users: unknown[] = [];

    @Controller()
    class Calculator {
      @MessagePattern({ cmd: 'sum' })
      sum(@Payload() numbers: number[]): number {
        return numbers.reduce((total, each) => total + each, 0);
      }

      @EventPattern('user_created')
      onUser(@Payload() user: unknown): void {
        users.push(user);
      }
    }
    @Controller()
    class Api {
      constructor(@Inject('CALCULATOR') private readonly client: ClientProxy) {}

      @Get('sum')
      sum(): Observable<number> {
        return this.client.send<number>({ cmd: 'sum' }, [1, 2, 3, 4, 5]);
      }

      @Post('users')
      create(): void {
        this.client.emit('user_created', { name: 'Ada' });
      }
    }
    @Module({
      imports: [
        ClientsModule.register([
          {
            name: 'CALCULATOR',
            customClass: ClientRedisStreams,
            options: { connection: redis.url, keyPrefix },
          },
        ]),
      ],
      controllers: [Calculator, Api],
    })
    class AppModule {}

    const app = await NestFactory.create(AppModule, { logger: recordedLog, abortOnError: false });
    opened.push(app);
    app.connectMicroservice({
      strategy: new ServerRedisStreams({ connection: redis.url, group: GROUP, keyPrefix }),
    });
    await app.startAllMicroservices();
    await app.listen(0, '127.0.0.1');
    const url = await app.getUrl();
    expect(await (await fetch(`${url}/sum`)).text()).toBe('15');
    expect((await fetch(`${url}/users`, { method: 'POST' })).status).toBe(201);
    await waitFor(() => users.length === 1);
    expect(users).toEqual([{ name: 'Ada' }]);
    expect(await redis.client.xlen(`${keyPrefix}cmd=sum`)).toBe(1);
  });
});

describe("Nest's own patterns", () => {
  it('name the stream of events and requests: objects, whatever the order of their keys, and numbers', async () => {
    const cmd = freshName('cmd');
    const number = Number(freshName('').replaceAll(/\D/g, '').slice(0, 12));
    const got: unknown[] = [];
    @Controller()
    class Handlers {
      @EventPattern({ cmd, on: { eu: true } })
      byObject(@Payload() data: unknown): void {
        got.push(['object', data]);
      }
      @EventPattern(number)
      byNumber(@Payload() data: unknown): void {
        got.push(['number', data]);
      }
      @MessagePattern({ cmd, of: 'requests' })
      double(@Payload() n: number): number {
        return 2 * n;
      }
    }
    const app = await streamsApp(
      { connection: redis.url, group: GROUP },
      { controllers: [Handlers] },
    );
    const stream = `cmd=${cmd},on=(eu=true)`;
    const receipt = await firstValueFrom(app.client.emit({ on: { eu: true }, cmd }, 1));
    expect(receipt).toMatchObject({ stream });
    await firstValueFrom(app.client.emit(number, 2));
    await firstValueFrom(app.client.emitBatch({ cmd, on: { eu: true } }, [3]));
    expect(await firstValueFrom(app.client.send({ of: 'requests', cmd }, 21))).toBe(42);
    await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
    await waitFor(() => got.length === 3);
    expect(got).toEqual(
      expect.arrayContaining([
        ['object', 1],
        ['number', 2],
        ['object', 3],
      ]),
    );
    expect(app.monitor.getStats().streams).toEqual(
      expect.arrayContaining([stream, String(number), `cmd=${cmd},of=requests`]),
    );
  });

  it('that cannot work stop the app from starting', async () => {
    @Controller()
    class Handlers {
      @EventPattern({ cmd: undefined })
      on(): void {}
    }
    const app = streamsApp({ connection: redis.url, group: GROUP }, { controllers: [Handlers] });
    expect(await errorOf(app)).toMatchObject({
      code: 'INVALID_OPTIONS',
      message:
        'Option "pattern.cmd": given undefined, allowed: text, a number, true, false, null, or an object of these',
    });
  });

  it('that cannot work are an error of emit()', async () => {
    const error = await errorOf(firstValueFrom(clientFor().emit({}, 1)));
    expect(error).toBeInstanceOf(MessageEncodingError);
    expect(error).toMatchObject({
      message:
        'A message for stream "{}" cannot be encoded, nothing was sent: Option "pattern": given an object with 0 keys, allowed: 1 to 20 keys, and objects in each other 5 deep, as Nest tells patterns apart',
    });
  });
});

describe('the handlers of a server', () => {
  it("are listed by Nest's routes, and those of an event are a chain that the first one runs", async () => {
    const server = new ServerRedisStreams({ connection: redis.url, group: GROUP });
    const ran: string[] = [];
    const handler = (name: string, result: unknown) => (): Promise<unknown> => {
      ran.push(name);
      return Promise.resolve(result);
    };
    server.addHandler('orders', handler('first', 1), true, { an: 'extra' });
    server.addHandler('orders', handler('second', 2), true);
    server.addHandler('orders', handler('third', undefined), true);
    server.addHandler({ cmd: 'sum' }, handler('replaced', 1), false);
    server.addHandler({ cmd: 'sum' }, handler('sum', 2), false);
    server.addHandler({ stream: 'orders', name: 'created' }, handler('named', 1), true);
    server.addHandler(42, handler('number', 1), true);

    expect([...server.getHandlers().keys()]).toEqual([
      'orders',
      '{"cmd":"sum"}',
      '{"name":"created","stream":"orders"}',
      '42',
    ]);
    const first = server.getHandlerByPattern('orders') as MessageHandler | null;
    const second = first?.next as MessageHandler | undefined;
    const third = second?.next as MessageHandler | undefined;
    expect([first?.isEventHandler, first?.extras]).toEqual([true, { an: 'extra' }]);
    expect([third?.isEventHandler, third?.extras, third?.next]).toEqual([true, {}, undefined]);
    const result: unknown = await first?.({}, {});
    expect(isObservable(result) && (await lastValueFrom(result))).toEqual([1, [2, undefined]]);
    expect(ran.splice(0)).toEqual(['first', 'second', 'third']);
    expect(await server.getHandlerByPattern('{ "cmd": "sum" }')?.({}, {})).toBe(2);
    expect(ran).toEqual(['sum']);
    expect(server.getHandlerByPattern('nobody')).toBeNull();
  });

  it('run once for each message, although they are listed as a chain', async () => {
    const stream = freshName('orders');
    const got: string[] = [];
    @Controller()
    class Handlers {
      @EventPattern<string>(stream)
      first(): void {
        got.push('first');
      }
      @EventPattern<string>(stream)
      second(): void {
        got.push('second');
      }
    }
    const app = await streamsApp(
      { connection: redis.url, group: GROUP },
      { controllers: [Handlers] },
    );
    expect(app.server.getHandlers().get(stream)?.next).toBeDefined();
    await app.emit(stream, 1);
    await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
    expect(got).toEqual(['first', 'second']);
  });
});
