import { describe, expect, it } from '@jest/globals';
import { Controller, Logger, type Type } from '@nestjs/common';
import { Ctx, MessagePattern, Payload } from '@nestjs/microservices';
import { TerminusModule } from '@nestjs/terminus';
import { setTimeout as delay } from 'node:timers/promises';
import { firstValueFrom } from 'rxjs';
import { z } from 'zod';

import {
  type ClientRedisStreams,
  type Codec,
  DeadLetters,
  FieldCodec,
  IdleConsumersJob,
  JsonCodec,
  LedgerMaintenanceJob,
  MessageValidationError,
  RedisStreamsContext,
  type RedisStreamsModuleOptions,
  RetentionJob,
  subscription,
  WatermillCodec,
} from '../../lib/index.js';
import { partitionName, partitionNames, partitionOf } from '../../lib/wire/partitions.js';
import { RedisStreamsHealthIndicator } from '../../lib/telemetry/terminus/index.js';
import { clientsForTests } from '../support/clients-for-tests.js';
import { failed } from '../support/delayed-messages.js';
import { freshName } from '../support/fresh-name.js';
import { emitAll, keyed } from '../support/keyed-messages.js';
import { logged, recordedLog } from '../support/recorded-log.js';
import { redisForTests } from '../support/redis-for-tests.js';
import {
  closeAppsAfterEach,
  handlerOf,
  type StreamsApp,
  streamsApp,
  type StreamsAppParts,
} from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
Logger.overrideLogger(recordedLog);
closeAppsAfterEach();
const { clientFor } = clientsForTests(redis);

const GROUP = 'billing';
const COUNT = 4;
const KEYS = Array.from({ length: 12 }, (_, n) => `customer-${n}`);
const LONG = { timeoutMs: 60_000 };

interface Numbered {
  readonly n: number;
}
interface Seen extends Numbered {
  readonly key: string | undefined;
  readonly stream: string;
  readonly partition: number | undefined;
}

type StreamOptions = NonNullable<RedisStreamsModuleOptions['streams']>[string];

/** An app that reads a stream with partitions, and what its handler saw. */
async function partitionedApp(
  streamOptions: Partial<StreamOptions> = {},
  handle: (seen: Seen, context: RedisStreamsContext) => unknown = () => undefined,
  parts: StreamsAppParts = {},
): Promise<StreamsApp & { readonly stream: string; readonly seen: Seen[] }> {
  const stream = freshName('orders');
  const seen: Seen[] = [];
  const app = await streamsApp(
    {
      connection: redis.url,
      group: GROUP,
      concurrency: 16,
      startFrom: 'beginning',
      retry: { maxAttempts: 2, backoff: { type: 'fixed', delayMs: 20 } },
      streams: { [stream]: { partitions: COUNT, ...streamOptions } as StreamOptions },
    },
    {
      ...parts,
      controllers: [
        handlerOf<Numbered>(stream, async ({ n }, context) => {
          const where = { stream: context.getStream(), partition: context.getPartition() };
          const one = { n, key: context.getKey(), ...where };
          seen.push(one);
          await handle(one, context);
        }),
      ],
    },
  );
  return { ...app, stream, seen };
}

/** Messages of all keys in turn: the key of number n is `n % KEYS.length`. */
const messages = (count: number) =>
  Array.from({ length: count }, (_, n) => keyed(KEYS[n % KEYS.length]!, { n }, `order-${n}`));

const handledBy = ({ monitor }: StreamsApp, count: number): Promise<unknown> =>
  waitFor(() => monitor.getStats().counts.handled >= count, LONG);

function expectOrderByKey(seen: readonly Seen[], count: number): void {
  expect(new Set(seen.map(({ n }) => n)).size).toBe(count);
  for (const index of KEYS.keys()) {
    const ofKey = seen.filter(({ n }) => n % KEYS.length === index).map(({ n }) => n);
    expect(ofKey).toEqual([...ofKey].sort((a, b) => a - b));
  }
}

describe('what users set for a stream applies to all of its partitions', () => {
  const codecs: readonly [string, Codec, boolean][] = [
    ['JsonCodec', new JsonCodec(), true],
    ['WatermillCodec', new WatermillCodec(), true],
    ['FieldCodec, which cannot carry keys', new FieldCodec({ field: 'data' }), false],
  ];
  it.each(codecs)('its codec, with keys in order: %s', async (_, codec, arrives) => {
    const app = await partitionedApp({ codec }, () => delay(Math.random() * 3));
    await emitAll(app.client, app.stream, messages(240));
    await handledBy(app, 240);
    expectOrderByKey(app.seen, 240);
    for (const { n, key, partition, stream } of app.seen) {
      const expectedKey = KEYS[n % KEYS.length]!;
      expect(key).toBe(arrives ? expectedKey : undefined);
      expect(partition).toBe(partitionOf(expectedKey, COUNT));
      expect(stream).toBe(app.stream);
    }
  });

  it('its schema, on both sides, and the types of a client', async () => {
    const app = await partitionedApp({ schema: z.object({ n: z.number() }) });
    const { stream } = app;
    const typed: ClientRedisStreams<Record<string, Numbered>> = app.client;
    await firstValueFrom(typed.emit(stream, { n: 1 }));
    await handledBy(app, 1);
    const wrong = failed(firstValueFrom(app.client.emit(stream, keyed('customer-1', { n: 'x' }))));
    expect(await wrong).toBeInstanceOf(MessageValidationError);
    const fields = ['name', stream, 'body', '{"n":"x"}', 'id', 'order-1'];
    await redis.client.xadd(partitionName(stream, 2), '*', ...fields);
    const deadLetters = app.app.get(DeadLetters);
    await waitFor(async () => (await deadLetters.count({ stream })) === 1, LONG);
    expect(await deadLetters.list({ stream })).toMatchObject([
      { id: expect.stringMatching(/^2:/), partition: 2, stream, messageId: 'order-1' },
    ]);
  });

  it('its retention, its ledger and its members: the jobs handle each partition', async () => {
    const app = await partitionedApp({ retention: { maxAgeMs: 1 } });
    await emitAll(app.client, app.stream, messages(60));
    await handledBy(app, 60);
    const names = partitionNames(app.stream, COUNT);
    const left = async (): Promise<number> => {
      await app.app.get(RetentionJob).run();
      const lengths = await Promise.all(names.map((name) => redis.client.xlen(name)));
      return lengths.reduce((sum, length) => sum + length, 0);
    };
    await waitFor(async () => (await left()) === 0, LONG);
    const [name = ''] = names;
    await redis.client.zadd(`stream:${name}:group:${GROUP}:processed`, 1, 'of old');
    expect(await app.app.get(LedgerMaintenanceJob).run()).toEqual({ removed: 1 });
    expect(await app.app.get(IdleConsumersJob).run()).toEqual({ removed: 0 });
  });
});

describe('a stream with partitions', () => {
  it('answers requests', async () => {
    const stream = freshName('quotes');
    @Controller()
    class Quotes {
      @MessagePattern<string>(stream, subscription())
      quote(@Payload() { n }: Numbered, @Ctx() context: RedisStreamsContext): unknown {
        return { n, key: context.getKey(), partition: context.getPartition() };
      }
    }
    const controllers: Type[] = [Quotes];
    const streams = { [stream]: { partitions: COUNT } };
    const app = await streamsApp({ connection: redis.url, group: GROUP, streams }, { controllers });
    const replies = await Promise.all(
      KEYS.map((key, n) => firstValueFrom(app.client.send(stream, keyed(key, { n })))),
    );
    expect(replies).toEqual(KEYS.map((key, n) => ({ n, key, partition: partitionOf(key, COUNT) })));
  });

  it('has dead letters that run again in their partition, under the name of the stream', async () => {
    let isBroken = true;
    const app = await partitionedApp({}, () => {
      if (isBroken) throw new Error('not yet');
    });
    const { stream } = app;
    await emitAll(app.client, stream, messages(24));
    const deadLetters = app.app.get(DeadLetters);
    await waitFor(async () => (await deadLetters.count({ stream })) === 24, LONG);
    isBroken = false;
    expect(await deadLetters.redrive({ stream })).toEqual({ redriven: 24 });
    await handledBy(app, 24);
    await waitFor(async () => (await deadLetters.count({ stream })) === 0, LONG);
    for (const { n, partition } of app.seen.slice(-24)) {
      expect(partition).toBe(partitionOf(KEYS[n % KEYS.length]!, COUNT));
    }
  });

  it('is one stream to the monitor, with its partitions and their owners', async () => {
    const app = await partitionedApp();
    const { stream, monitor, server } = app;
    await emitAll(app.client, stream, messages(60));
    await handledBy(app, 60);
    const inspection = await waitFor(async () => {
      const { streams } = await monitor.inspect();
      return streams.length === 1 && streams[0]?.pending === 0 && streams[0];
    }, LONG);
    expect(inspection).toMatchObject({ stream, group: GROUP, exists: true, groupExists: true });
    expect(inspection).toMatchObject({ length: 60, lag: 0, ledgerSize: 60, pending: 0 });
    expect(inspection.consumers.map(({ name }) => name)).toEqual([server.options.consumer]);
    const { partitions = [] } = inspection;
    expect(partitions.map(({ partition }) => partition)).toEqual([0, 1, 2, 3]);
    expect(partitions.reduce((sum, { length }) => sum + length, 0)).toBe(60);
    for (const { owner } of partitions) {
      expect(owner).toEqual({
        consumer: server.options.consumer,
        epoch: expect.any(Number),
        endsInMs: expect.any(Number),
      });
    }
    const stats = monitor.getStats();
    expect(stats.streams).toEqual([stream]);
    expect(stats.byStream.map((one) => one.stream)).toEqual([stream]);
    const epochs = new Map(partitions.map(({ partition, owner }) => [partition, owner?.epoch]));
    const [{ owned = [], ...one } = {}] = stats.partitions;
    expect(one).toEqual({ stream, count: COUNT });
    expect(new Map(owned.map(({ partition, epoch }) => [partition, epoch]))).toEqual(epochs);
  });

  it('is one stream to health: its limits are for all partitions together', async () => {
    const app = await partitionedApp(
      {},
      (_, context) => {
        context.deadLetter('said so');
      },
      {
        imports: [TerminusModule.forRoot({ logger: false })],
        providers: [RedisStreamsHealthIndicator],
      },
    );
    const { stream } = app;
    await emitAll(app.client, stream, messages(12));
    const deadLetters = app.app.get(DeadLetters);
    await waitFor(async () => (await deadLetters.count({ stream })) === 12, LONG);
    const health = app.app.get(RedisStreamsHealthIndicator);
    expect(await health.isHealthy('streams', { maxDeadLetters: 12 })).toEqual({
      streams: { status: 'up' },
    });
    expect(await health.isHealthy('streams', { maxDeadLetters: 11 })).toMatchObject({
      streams: { status: 'down', problems: [expect.stringContaining(`"${stream}" has 12`)] },
    });
  });
});

describe('a number of partitions in Redis that is none', () => {
  it.each(['1000000000', 'junk', '', 'a list'])(
    'is named in the log, and replaced by a server: %j',
    async (junk) => {
      const stream = freshName('orders');
      const key = `stream:{${stream}}:partitions`;
      if (junk === 'a list') await redis.client.lpush(key, 'x');
      else await redis.client.set(key, junk);
      const streams = { [stream]: { partitions: 2 } };
      const client = clientFor({ streams });
      await emitAll(client, stream, messages(2));
      await waitFor(() => logged('warn', `The key "${key}" holds `).length === 1);
      const runs: unknown[] = [];
      await streamsApp(
        { connection: redis.url, group: GROUP, startFrom: 'beginning', streams },
        { controllers: [handlerOf(stream, (data) => void runs.push(data))] },
      );
      await waitFor(() => runs.length === 2);
      await waitFor(async () => (await redis.client.type(key)) === 'string');
      await waitFor(async () => (await redis.client.get(key)) === '2');
      await waitFor(() => logged('warn', `The key "${key}" holds `).length === 2);
    },
  );
});
