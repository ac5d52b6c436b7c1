import { describe, expect, it } from '@jest/globals';
import { firstValueFrom } from 'rxjs';
import { z } from 'zod';

import {
  ClientRedisStreams,
  DeadLetters,
  FieldCodec,
  InvalidOptionsError,
  MessageValidationError,
  RedisStreamsPull,
  RetentionJob,
  ServerRedisStreams,
  type StreamOptions,
} from '../../lib/index.js';
import { resolveModuleOptions } from '../../lib/options/resolve-options.js';
import { clientsForTests } from '../support/clients-for-tests.js';
import { freshName } from '../support/fresh-name.js';
import { isCaughtUp } from '../support/group-state.js';
import { redisForTests } from '../support/redis-for-tests.js';
import {
  closeAppsAfterEach,
  handlerOf,
  type StreamsApp,
  streamsApp,
} from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

/** `XTRIM ~` frees whole nodes: with small ones its effect shows sooner. */
const redis = redisForTests({ args: ['--stream-node-max-entries', '10'] });
const { clientFor } = clientsForTests(redis);
closeAppsAfterEach();

const GROUP = 'billing';

const errorOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

const caughtError = (make: () => unknown): unknown => {
  try {
    return make();
  } catch (error) {
    return error;
  }
};

const plain = new FieldCodec({ field: 'data' });

describe('options for a wildcard in streams', () => {
  const start = (
    streams: Record<string, StreamOptions>,
    read: string,
    handle: (data: unknown) => unknown,
  ): Promise<StreamsApp> =>
    streamsApp(
      { connection: redis.url, group: GROUP, discoveryIntervalMs: 100, streams },
      {
        controllers: [
          handlerOf(read, handle, { startFrom: 'beginning', retry: { maxAttempts: 1 } }),
        ],
      },
    );

  it('set the codec of what is published and handled, and a more specific key another one', async () => {
    const prefix = freshName('ev');
    const got: unknown[] = [];
    const app = await start(
      {
        [`${prefix}.*`]: { codec: plain },
        [`${prefix}.eu.*`]: { codec: new FieldCodec({ field: 'eu' }) },
        [`${prefix}.eu.orders`]: { codec: new FieldCodec({ field: 'named' }) },
      },
      `${prefix}.*`,
      (data) => got.push(data),
    );
    const fields = async (stream: string): Promise<unknown> => {
      await app.emit(stream, stream);
      return (await redis.client.xrange(stream, '-', '+'))[0]?.[1];
    };
    const names = ['payments', 'eu.payments', 'eu.orders'].map((name) => `${prefix}.${name}`);
    expect(await Promise.all(names.map(fields))).toEqual([
      ['data', JSON.stringify(names[0])],
      ['eu', JSON.stringify(names[1])],
      ['named', JSON.stringify(names[2])],
    ]);
    await waitFor(() => got.length === 3);
    expect(new Set(got)).toEqual(new Set(names));
  });

  it('set the schema of what is published and handled', async () => {
    const prefix = freshName('ev');
    const schema = z.object({ n: z.number() });
    const got: unknown[] = [];
    const app = await start({ [`${prefix}.*`]: { schema } }, `${prefix}.*`, (data) =>
      got.push(data),
    );
    const stream = `${prefix}.orders`;
    expect(await errorOf(app.emit(stream, { n: 'one' }))).toBeInstanceOf(MessageValidationError);
    await redis.client.xadd(stream, '*', 'name', stream, 'body', '{"n":"two"}');
    await app.emit(stream, { n: 3 });
    await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
    expect(got).toEqual([{ n: 3 }]);
    const dead = `stream:{${stream}}:group:${GROUP}:dead-letters`;
    expect(await redis.client.xlen(dead)).toBe(1);
  });

  it('set the codec with which dead letters are read', async () => {
    const prefix = freshName('ev');
    const streams = { [`${prefix}.*`]: { codec: plain } };
    const app = await start(streams, `${prefix}.*`, () => {
      throw new Error('no');
    });
    const stream = `${prefix}.orders`;
    await app.emit(stream, { n: 1 });
    const deadLetters = new DeadLetters({ connection: redis.url, group: GROUP, streams });
    await waitFor(async () => (await deadLetters.count({ stream })) === 1);
    const [letter] = await deadLetters.list({ stream, limit: 1 });
    await deadLetters.onApplicationShutdown();
    expect(letter).toMatchObject({ payload: { n: 1 } });
  });

  it('trim the streams that match: found in Redis, named here, and partitions; never past unread entries', async () => {
    const prefix = freshName('ev');
    const names = { found: `${prefix}.found`, named: `${prefix}.named`, parts: `${prefix}.parts` };
    const other = freshName('other');
    const app = await streamsApp(
      {
        connection: redis.url,
        group: GROUP,
        streams: {
          [`${prefix}.*`]: { retention: { maxLength: 10 } },
          [names.named]: { retention: { maxLength: 20 } },
          [names.parts]: { partitions: 2 },
        },
      },
      { controllers: [] },
    );
    const add = async (key: string): Promise<void> => {
      const adds = redis.client.pipeline();
      for (let n = 0; n < 100; n++) adds.xadd(key, '*', 'body', '1');
      await adds.exec();
    };
    const keys = [names.found, names.named, `{${names.parts}:0}`, `{${names.parts}:1}`, other];
    await Promise.all(keys.map(add));
    const held = `${prefix}.held`;
    await add(held);
    await redis.client.xgroup('CREATE', held, 'slow', '0');
    const { removed } = await app.app.get(RetentionJob).run();
    const lengths = await Promise.all([...keys, held].map((key) => redis.client.xlen(key)));
    expect(lengths).toEqual([10, 20, 10, 10, 100, 100]);
    expect(removed).toBe(90 + 80 + 90 + 90);
  });

  it('limit what is published, and each limit has its own most specific key', async () => {
    const prefix = freshName('ev');
    const stream = `${prefix}.orders`;
    const client = clientFor({
      streams: {
        [`${prefix}.*`]: { ttlMs: 60_000, maxLength: 1_000, force: true },
        [stream]: { maxLength: 10, force: true },
      },
    });
    for (let n = 0; n < 3; n++) {
      const items = Array.from({ length: 50 }, (_, i) => ({ n: i }));
      await firstValueFrom(client.emitBatch(stream, items));
    }
    expect(await redis.client.xlen(stream)).toBeLessThan(50);
    expect(await redis.client.pttl(stream)).toBeGreaterThan(0);
  });

  it('keep streams that their readers read from expiring', async () => {
    const prefix = freshName('ev');
    const stream = `${prefix}.orders`;
    await redis.client.xadd(stream, '*', 'body', '1');
    await start(
      { [`${prefix}.*`]: { ttlMs: 3_600_000, force: true } },
      `${prefix}.*`,
      () => undefined,
    );
    await waitFor(async () => (await redis.client.pttl(stream)) > 0);
  });

  it('refuse partitions, for every class that takes them', () => {
    const streams = { 'ev.*': { partitions: 3 } };
    const group = GROUP;
    const makers = [
      () => new ClientRedisStreams({ streams }),
      () => new ServerRedisStreams({ group, streams }),
      () => new DeadLetters({ group, streams }),
      () => new RedisStreamsPull({ group, streams }),
      () => resolveModuleOptions({ group, streams }),
    ];
    for (const make of makers) {
      const error = caughtError(make);
      expect(error).toBeInstanceOf(InvalidOptionsError);
      expect(error).toMatchObject({
        message: `Option "streams.ev.*.partitions": given 3, allowed: only for a stream's full name: a wildcard stands for many streams, and handlers must name a stream that has partitions`,
      });
    }
  });
});

describe('a wildcard as the target of a message', () => {
  const ONE_STREAM =
    'a message goes to one stream, and "*" in a pattern stands for many: give the full name of a stream';

  it('is an error, and nothing is written', async () => {
    const wild = freshName('wild.*');
    const client = clientFor();
    const calls = [
      client.emit(wild, 1),
      client.emit({ stream: wild, name: 'created' }, 1),
      client.emitBatch(wild, [1]),
      client.send(wild, 1),
    ];
    for (const call of calls) {
      const error = await errorOf(firstValueFrom(call));
      expect(error).toMatchObject({
        code: 'MESSAGE_NOT_ENCODABLE',
        message: `A message for stream "${wild}" cannot be encoded, nothing was sent: ${ONE_STREAM}`,
      });
    }
    expect(await errorOf(client.cancel(wild, 'a'))).toMatchObject({
      message: `Whether message a for stream "${wild}" is cancelled was not confirmed: ${ONE_STREAM}. It is not.`,
    });
    expect(await redis.client.exists(wild)).toBe(0);
  });
});
