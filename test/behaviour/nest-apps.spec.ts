import { afterEach, describe, expect, it } from '@jest/globals';
import {
  Controller,
  Get,
  type INestApplicationContext,
  Inject,
  Injectable,
  Logger,
  Module,
  type Type,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  type AsyncMicroserviceOptions,
  ClientsModule,
  type CustomTransportStrategy,
  EventPattern,
  type MessageHandler,
  Payload,
  Server,
} from '@nestjs/microservices';
import type { Redis } from 'ioredis';
import { firstValueFrom } from 'rxjs';

import {
  ClientRedisStreams,
  InvalidOptionsError,
  InvalidStreamNameError,
  REDIS_STREAMS,
  RedisStreamsModule,
  type RedisStreamsModuleOptions,
  ServerRedisStreams,
  type StartFrom,
  subscription,
} from '../../lib/index.js';
import { freshName } from '../support/fresh-name.js';
import { addEntries, groupState, isCaughtUp } from '../support/group-state.js';
import { logged, recordedLog } from '../support/recorded-log.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach, handlerOf, moduleOf, streamsApp } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
closeAppsAfterEach();

const GROUP = 'billing';
const NEST = { logger: recordedLog, abortOnError: false };
const caughtUp = (stream: string): Promise<boolean> => isCaughtUp(redis.client, stream, GROUP);

const opened: INestApplicationContext[] = [];
const toClose = <App extends INestApplicationContext>(app: App): App => {
  Logger.overrideLogger(recordedLog);
  opened.push(app);
  return app;
};
afterEach(async () => {
  await Promise.all(opened.splice(0).map((app) => app.close()));
});

/** How many Redis connections have `part` in their name. */
async function connectionsOf(part: string): Promise<number> {
  const list = String(await redis.client.client('LIST'));
  return list.split('\n').filter((line) => line.includes(`name=${part}`)).length;
}

describe('a hybrid app', () => {
  it.each([true, false])(
    'serves HTTP and messages concurrently (inheritAppConfig: %p)',
    async (inheritAppConfig) => {
      const stream = freshName('orders');
      const got: unknown[] = [];
      @Controller()
      class Orders {
        constructor(@Inject(ClientRedisStreams) private readonly client: ClientRedisStreams) {}
        @Get('order')
        order(): Promise<unknown> {
          return firstValueFrom(this.client.emit(stream, { n: 1 }));
        }
        @EventPattern<string>(stream)
        on(@Payload() order: unknown): void {
          got.push(order);
        }
      }
      const { app } = await streamsApp(
        { connection: redis.url, group: GROUP },
        { controllers: [Orders], inheritAppConfig },
      );
      await app.listen(0, '127.0.0.1');
      const response = await fetch(`${await app.getUrl()}/order`);
      expect(await response.json()).toMatchObject({ stream, duplicate: false });
      await waitFor(() => caughtUp(stream));
      expect(got).toEqual([{ n: 1 }]);
    },
  );

  it('can start its microservices before or after it listens', async () => {
    const stream = freshName('orders');
    const got: unknown[] = [];
    const controllers = [handlerOf(stream, (data) => got.push(data))];
    const options = { connection: redis.url, group: GROUP };
    const app = toClose(
      await NestFactory.create(
        moduleOf([RedisStreamsModule.forRoot(options)], { controllers }),
        NEST,
      ),
    );
    app.connectMicroservice({ strategy: app.get(ServerRedisStreams) });
    await app.listen(0, '127.0.0.1');
    await app.startAllMicroservices();
    await firstValueFrom(app.get(ClientRedisStreams).emit(stream, { n: 1 }));
    await waitFor(() => got.length === 1);
  });

  it('that is closed leaves no connection behind', async () => {
    const stream = freshName('orders');
    const consumer = freshName('consumer');
    const app = await streamsApp(
      { connection: redis.url, group: GROUP, consumer },
      { controllers: [handlerOf(stream, () => undefined)] },
    );
    expect(await connectionsOf(consumer)).toBe(2);
    await app.close();
    await waitFor(async () => (await connectionsOf(consumer)) === 0);
  });
});

describe('a microservice', () => {
  /** Publishes one message, and waits until it is settled. */
  async function published(stream: string): Promise<void> {
    await addEntries(redis.client, stream, [{ n: 1 }]);
    await waitFor(() => caughtUp(stream));
  }

  it("with the module's server, configured by useFactory and inject", async () => {
    const stream = freshName('orders');
    const got: unknown[] = [];
    const app = toClose(
      await NestFactory.createMicroservice<AsyncMicroserviceOptions>(
        moduleOf([RedisStreamsModule.forRoot({ connection: redis.url, group: GROUP })], {
          controllers: [handlerOf(stream, (data) => void got.push(data))],
        }),
        {
          ...NEST,
          inject: [ServerRedisStreams],
          useFactory: (strategy: ServerRedisStreams) => ({ strategy }),
        },
      ),
    );
    await app.listen();
    await published(stream);
    expect(got).toEqual([{ n: 1 }]);
  });

  it('with a server of its own, without the module', async () => {
    const stream = freshName('orders');
    const consumer = freshName('consumer');
    const got: unknown[] = [];
    const strategy = new ServerRedisStreams({ connection: redis.url, group: GROUP, consumer });
    const app = toClose(
      await NestFactory.createMicroservice(
        moduleOf([], { controllers: [handlerOf(stream, (data) => void got.push(data))] }),
        { ...NEST, strategy },
      ),
    );
    await app.listen();
    await published(stream);
    expect(got).toEqual([{ n: 1 }]);
    await app.close();
    expect(strategy.isListening).toBe(false);
    await waitFor(async () => (await connectionsOf(consumer)) === 0);
  });

  it('applies its global enhancers', async () => {
    const stream = freshName('orders');
    const got: unknown[] = [];
    const strategy = new ServerRedisStreams({ connection: redis.url, group: GROUP });
    const app = toClose(
      await NestFactory.createMicroservice(
        moduleOf([], { controllers: [handlerOf(stream, (data) => void got.push(data))] }),
        { ...NEST, strategy },
      ),
    );
    app.useGlobalGuards({ canActivate: () => false });
    await app.listen();
    await addEntries(redis.client, stream, [{ n: 1 }]);
    await waitFor(() => strategy.counts.failed === 1);
    expect(got).toEqual([]);
    expect((await groupState(redis.client, stream, GROUP))?.pending).toBe(1);
  });
});

describe('the module', () => {
  const SETTINGS = Symbol('SETTINGS');
  @Module({
    providers: [{ provide: SETTINGS, useFactory: () => ({ url: redis.url, group: GROUP }) }],
    exports: [SETTINGS],
  })
  class SettingsModule {}

  it('can be configured with forRootAsync, useFactory and inject', async () => {
    const app = toClose(
      await NestFactory.create(
        moduleOf(
          [
            RedisStreamsModule.forRootAsync({
              imports: [SettingsModule],
              inject: [SETTINGS],
              useFactory: async ({ url, group }: { url: string; group: string }) => ({
                connection: url,
                group,
                concurrency: 3,
              }),
            }),
          ],
          {},
        ),
        NEST,
      ),
    );
    expect(app.get(ServerRedisStreams).options).toMatchObject({
      connection: redis.url,
      group: GROUP,
      subscription: { concurrency: 3 },
    });
  });

  it.each<
    [string, (options: RedisStreamsModuleOptions) => ReturnType<typeof RedisStreamsModule.forRoot>]
  >([
    ['forRoot', (options) => RedisStreamsModule.forRoot({ ...options, isGlobal: true })],
    [
      'forRootAsync',
      (options) => RedisStreamsModule.forRootAsync({ useFactory: () => options, isGlobal: true }),
    ],
  ])('is available to all modules with isGlobal: %s', async (_, make) => {
    const stream = freshName('orders');
    @Injectable()
    class Shop {
      constructor(@Inject(ClientRedisStreams) readonly client: ClientRedisStreams) {}
    }
    @Module({ providers: [Shop] })
    class ShopModule {}
    const imports = [make({ connection: redis.url, group: GROUP })];
    const app = toClose(
      await NestFactory.create(moduleOf(imports, { imports: [ShopModule] }), NEST),
    );
    const receipt = await firstValueFrom(app.get(Shop, { strict: false }).client.emit(stream, {}));
    expect(await redis.client.xrange(stream, '-', '+')).toMatchObject([
      [receipt.entryId, expect.anything()],
    ]);
  });

  it('refuses invalid options when the app is created', async () => {
    const options = { connection: redis.url, group: GROUP, concurrency: 0 };
    await expect(
      NestFactory.create(moduleOf([RedisStreamsModule.forRoot(options)], {}), NEST),
    ).rejects.toThrow(InvalidOptionsError);
  });
});

describe("Nest's ClientsModule", () => {
  it('creates a client, and closes its connection with the app', async () => {
    const stream = freshName('orders');
    const ORDERS = Symbol('ORDERS');
    const app = toClose(
      await NestFactory.createApplicationContext(
        moduleOf(
          [
            ClientsModule.register([
              {
                name: ORDERS,
                customClass: ClientRedisStreams,
                options: { connection: redis.url, keyPrefix: 'shop:' },
              },
            ]),
          ],
          {},
        ),
        NEST,
      ),
    );
    const client = app.get<ClientRedisStreams>(ORDERS);
    const { entryId } = await firstValueFrom(client.emit(stream, { n: 1 }));
    expect(await redis.client.xrange(`shop:${stream}`, '-', '+')).toMatchObject([
      [entryId, expect.anything()],
    ]);
    const connection = client.unwrap<Redis>();
    await app.close();
    await waitFor(() => connection.status === 'end');
  });

  it('refuses invalid options', () => {
    const options = { connection: redis.url, group: GROUP };
    expect(() =>
      ClientsModule.register([{ name: 'ORDERS', customClass: ClientRedisStreams, options }]),
    ).toThrow(InvalidOptionsError);
  });
});

describe('a handler for another transport', () => {
  const OTHER = Symbol('OTHER');
  /** A transport that only records the handlers it is given. */
  class OtherServer extends Server implements CustomTransportStrategy {
    override transportId = OTHER;
    readonly patterns: unknown[] = [];
    override addHandler(pattern: unknown, _: MessageHandler): void {
      this.patterns.push(pattern);
    }
    listen(callback: () => void): void {
      callback();
    }
    close(): void {}
    override on(): void {}
    override unwrap<T>(): T {
      throw new Error('there is nothing');
    }
  }

  it('is ignored if it is for another transport', async () => {
    const stream = freshName('orders');
    const got: string[] = [];
    @Controller()
    class Mixed {
      @EventPattern<string>(stream, REDIS_STREAMS, subscription())
      ours(): void {
        got.push('ours');
      }
      @EventPattern<string>(freshName('theirs'), OTHER)
      theirs(): void {
        got.push('theirs');
      }
    }
    const other = new OtherServer();
    const app = await streamsApp(
      { connection: redis.url, group: GROUP },
      {
        controllers: [Mixed],
        before: (nest) => void nest.connectMicroservice({ strategy: other }),
      },
    );
    await app.emit(stream, { n: 1 });
    await waitFor(() => caughtUp(stream));
    expect(got).toEqual(['ours']);
    expect(app.monitor.getStats().streams).toEqual([stream]);
    expect(other.patterns).not.toContain(stream);
    expect(logged('warn', 'theirs')).toEqual([]);
  });
});

describe('handlers of one stream', () => {
  const started = (...controllers: Type[]) =>
    streamsApp({ connection: redis.url, group: GROUP }, { controllers });

  it('that disagree on an option stop the app from starting, and the error names them', async () => {
    const stream = freshName('orders');
    const app = started(
      handlerOf(stream, () => undefined, { concurrency: 2 }),
      handlerOf(stream, () => undefined, { concurrency: 3 }),
    );
    await expect(app).rejects.toThrow(InvalidOptionsError);
    await expect(app).rejects.toMatchObject({ path: 'subscription.concurrency' });
    await expect(app).rejects.toThrow(stream);
    expect(await redis.client.exists(stream)).toBe(0);
  });

  it('can agree on an option, or only one of them sets it', async () => {
    const stream = freshName('orders');
    const startFrom: StartFrom = 'beginning';
    const app = await started(
      handlerOf(stream, () => undefined, { concurrency: 2, dedup: { windowMs: 60_000 } }),
      handlerOf(stream, () => undefined, { startFrom, dedup: { windowMs: 60_000 } }),
      handlerOf(stream, () => undefined),
    );
    expect(app.server.subscriptions()).toMatchObject([
      { options: { concurrency: 2, startFrom, dedup: { windowMs: 60_000 } } },
    ]);
  });

  it('cannot have a name that Redis Cluster would split over slots', async () => {
    await expect(started(handlerOf('orders}', () => undefined))).rejects.toThrow(
      InvalidStreamNameError,
    );
  });
});

describe('an app without handlers', () => {
  it('starts, logs that it reads nothing, and publishes', async () => {
    const before = logged('warn', 'reads nothing').length;
    const app = await streamsApp({ connection: redis.url, group: GROUP }, {});
    expect(logged('warn', 'reads nothing')).toHaveLength(before + 1);
    expect((await app.emit(freshName('orders'), {})).entryId).toMatch(/^\d+-\d+$/);
  });
});

describe('the server', () => {
  it('reports its status, its events and its connections', async () => {
    const stream = freshName('orders');
    const got: unknown[] = [];
    const consumer = freshName('consumer');
    const server = new ServerRedisStreams({ connection: redis.url, group: GROUP, consumer });
    const states: string[] = [];
    const events: unknown[] = [];
    const app = toClose(
      await NestFactory.createMicroservice(
        moduleOf([], { controllers: [handlerOf(stream, (data) => void got.push(data))] }),
        { ...NEST, strategy: server },
      ),
    );
    app.status.subscribe((status: string) => states.push(status));
    app.on('ready', (connection: unknown) => events.push(`ready ${connection}`));
    expect(() => server.unwrap()).toThrow('does not listen');
    await app.listen();
    server.on('close', (connection) => events.push(`close ${connection}`));
    expect(states).toEqual(['connected']);
    expect(events.splice(0).sort()).toEqual(['ready blocking', 'ready commands']);

    const [commands, blocking] = app.unwrap<[Redis, Redis]>();
    expect(await commands.ping()).toBe('PONG');
    expect(await commands.client('GETNAME')).toBe(`${consumer}:commands`);
    expect(blocking.options.connectionName).toBe(`${consumer}:blocking`);

    await redis.client.client('KILL', 'ID', String(await commands.client('ID')));
    await waitFor(() => states.length === 3);
    expect(states).toEqual(['connected', 'reconnecting', 'connected']);
    await waitFor(() => events.length === 2);
    expect(events).toEqual(['close commands', 'ready commands']);

    await app.close();
    expect(states.at(-1)).toBe('disconnected');
    expect(() => server.unwrap()).toThrow('does not listen');
  });

  it('can listen, close, and listen again', async () => {
    const stream = freshName('orders');
    const got: unknown[] = [];
    const server = new ServerRedisStreams({ connection: redis.url, group: GROUP });
    const handler: MessageHandler = async (data) => void got.push(data);
    server.addHandler(stream, handler, true);
    for (let n = 1; n <= 3; n++) {
      await new Promise<void>((resolve, reject) => {
        void server.listen((error) => (error === undefined ? resolve() : reject(error)));
      });
      expect(server.isListening).toBe(true);
      await addEntries(redis.client, stream, [{ n }]);
      await waitFor(() => got.length === n);
      await Promise.all([server.close(), server.close()]);
      expect(server.isListening).toBe(false);
      expect((await groupState(redis.client, stream, GROUP))?.pending).toBe(0);
      expect(server.counts.handled).toBe(1);
    }
    await server.close();
    expect(got).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
  });

  it("on the caller's own connection leaves no listeners on it when it is closed", async () => {
    const mine = redis.connect();
    await mine.ping();
    const server = new ServerRedisStreams({ connection: mine, group: GROUP });
    const handler: MessageHandler = async () => undefined;
    server.addHandler(freshName('orders'), handler, true);
    server.on('close', () => undefined);
    const listeners = (): number[] =>
      ['ready', 'close', 'end', 'error'].map((event) => mine.listenerCount(event));
    const before = listeners();
    for (let n = 0; n < 2; n++) {
      await new Promise((resolve) => {
        void server.listen(resolve);
      });
      await server.close();
    }
    expect(listeners()).toEqual(before);
    expect(await mine.ping()).toBe('PONG');
  });

  it('cannot listen twice at once', async () => {
    const server = new ServerRedisStreams({ connection: redis.url, group: GROUP });
    const listening = (): Promise<unknown> =>
      new Promise((resolve) => {
        void server.listen(resolve);
      });
    expect(await listening()).toBeUndefined();
    expect(await listening()).toMatchObject({ message: expect.stringContaining('already') });
    await server.close();
  });
});

describe('the client', () => {
  it('reports its status, its events and its connection', async () => {
    const client = new ClientRedisStreams({ connection: redis.url });
    const states: string[] = [];
    const events: string[] = [];
    client.status.subscribe((status) => states.push(status));
    client.on('ready', () => events.push('ready'));
    expect(states).toEqual([]);
    await client.connect();
    client.on('close', () => events.push('close'));
    expect(states).toEqual(['connected']);
    const connection = client.unwrap<Redis>();
    expect(await connection.ping()).toBe('PONG');
    await redis.client.client('KILL', 'ID', String(await connection.client('ID')));
    await waitFor(() => states.length === 3);
    expect(states).toEqual(['connected', 'reconnecting', 'connected']);
    expect(events).toEqual(['ready', 'close', 'ready']);
    await client.close();
    expect(states.at(-1)).toBe('disconnected');
    await waitFor(() => connection.status === 'end');
  });

  it('can connect, close, and connect again, and its listeners are called once each time', async () => {
    const stream = freshName('orders');
    const client = new ClientRedisStreams({ connection: redis.url });
    let ready = 0;
    client.on('ready', () => ready++);
    for (let n = 1; n <= 3; n++) {
      const connection = await client.connect();
      expect(await client.connect()).toBe(connection);
      await firstValueFrom(client.emit(stream, { n }));
      expect(ready).toBe(n);
      await Promise.all([client.close(), client.close()]);
      await client.close();
    }
    expect(await redis.client.xlen(stream)).toBe(3);
  });

  it('connects with the first emit, and again after it was closed', async () => {
    const stream = freshName('orders');
    const client = new ClientRedisStreams({ connection: redis.url });
    await firstValueFrom(client.emit(stream, { n: 1 }));
    await client.close();
    await firstValueFrom(client.emit(stream, { n: 2 }));
    await client.close();
    expect(await redis.client.xlen(stream)).toBe(2);
  });

  it("on the caller's own connection leaves no listeners on it when it is closed and used again", async () => {
    const mine = redis.connect();
    await mine.ping();
    const client = new ClientRedisStreams({ connection: mine });
    client.on('close', () => undefined);
    const listeners = (): number[] =>
      ['ready', 'close', 'end', 'error'].map((event) => mine.listenerCount(event));
    const before = listeners();
    for (let n = 0; n < 3; n++) {
      await client.connect();
      await client.close();
    }
    expect(listeners()).toEqual(before);
    expect(await mine.ping()).toBe('PONG');
  });
});
