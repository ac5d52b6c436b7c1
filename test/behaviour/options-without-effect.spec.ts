import { describe, expect, it } from '@jest/globals';
import { Controller, type Type } from '@nestjs/common';
import { MessagePattern } from '@nestjs/microservices';

import {
  FieldCodec,
  InvalidOptionsError,
  type RedisStreamsModuleOptions,
  subscription,
  type SubscriptionOptions,
} from '../../lib/index.js';
import { freshName } from '../support/fresh-name.js';
import { isCaughtUp } from '../support/group-state.js';
import { logged } from '../support/recorded-log.js';
import { redisForTests } from '../support/redis-for-tests.js';
import {
  closeAppsAfterEach,
  handlerOf,
  type StreamsApp,
  streamsApp,
} from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
closeAppsAfterEach();

const GROUP = 'billing';
const codec = new FieldCodec({ field: 'data' });

const start = (
  controllers: Type[],
  options: Partial<RedisStreamsModuleOptions> = {},
): Promise<StreamsApp> =>
  streamsApp({ connection: redis.url, group: GROUP, ...options }, { controllers });

const error = async (starting: Promise<unknown>): Promise<InvalidOptionsError> => {
  const thrown: unknown = await starting.catch((reason: unknown) => reason);
  if (thrown instanceof InvalidOptionsError) return thrown;
  throw new Error('It started');
};

describe('retry.maxAttempts with at-most-once', () => {
  const once = { delivery: 'at-most-once' } as const;
  it.each<[string, SubscriptionOptions, Partial<RedisStreamsModuleOptions>]>([
    ['both of the pattern', { ...once, retry: { maxAttempts: 3 } }, {}],
    ['the pattern and its server', { retry: { maxAttempts: 3 } }, once],
    ['both of the server', {}, { ...once, retry: { maxAttempts: 3 } }],
  ])('is a warning when the server listens: %s', async (_, own, options) => {
    const stream = freshName('orders');
    await start([handlerOf(stream, () => undefined, own)], options);
    expect(logged('warn', `"${stream}"`)).toEqual([
      expect.stringContaining('retry.maxAttempts: 3 has no effect'),
    ]);
  });

  it.each<[string, SubscriptionOptions, Partial<RedisStreamsModuleOptions>]>([
    ['one attempt', { ...once, retry: { maxAttempts: 1 } }, {}],
    ['the default', once, {}],
    ['attempts for the other patterns of a server', once, { retry: { maxAttempts: 3 } }],
    [
      'a pattern that tries again',
      { delivery: 'at-least-once' },
      { ...once, retry: { maxAttempts: 3 } },
    ],
  ])('is no warning for %s', async (_, own, options) => {
    const stream = freshName('orders');
    await start([handlerOf(stream, () => undefined, own)], options);
    expect(logged('warn', `"${stream}"`)).toEqual([]);
  });

  it('is a warning for requests too', async () => {
    const stream = freshName('quote');
    @Controller()
    class Quotes {
      @MessagePattern(stream, subscription({ ...once, retry: { maxAttempts: 2 } }))
      quote(): number {
        return 1;
      }
    }
    await start([Quotes]);
    expect(logged('warn', 'retry.maxAttempts: 2 has no effect')).toEqual([
      expect.stringContaining(stream),
    ]);
  });
});

describe('FieldCodec, whose entries carry no name', () => {
  it('is refused for a handler that wants only one name', async () => {
    const stream = freshName('sensors');
    const { path, allowed } = await error(
      start([handlerOf({ stream, name: 'hot' }, () => undefined)], {
        streams: { [stream]: { codec } },
      }),
    );
    expect(path).toBe(`streams.${stream}.codec`);
    expect(allowed).toContain('wants only messages with the name "hot"');
  });

  it('is taken if the name is that of the stream, which its messages have', async () => {
    const stream = freshName('sensors');
    const handled: unknown[] = [];
    const handler = handlerOf({ stream, name: stream }, (value) => void handled.push(value));
    const app = await start([handler], { streams: { [stream]: { codec } } });
    await app.emit(stream, 7);
    await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
    expect(handled).toEqual([7]);
  });

  it('leaves a stream alone, and says so, if a wildcard asks it for a name', async () => {
    const tag = freshName('sensors');
    const [plain, json] = [`${tag}.plain`, `${tag}.json`];
    const handled: unknown[] = [];
    const handler = handlerOf(
      { stream: `${tag}.*`, name: 'hot' },
      (value) => void handled.push(value),
      { startFrom: 'beginning' },
    );
    await start([handler], { streams: { [plain]: { codec } }, discoveryIntervalMs: 100 });
    await redis.client.xadd(plain, '*', 'data', '7');
    await redis.client.xadd(json, '*', 'name', 'hot', 'body', '8');
    await waitFor(() => handled.length === 1);
    expect(handled).toEqual([8]);
    await waitFor(() => logged('error', plain).length > 0);
    expect(logged('error', plain)[0]).toContain('wants only messages with the name "hot"');
  });
});

describe('a wildcard that means a stream with partitions', () => {
  it('is refused', async () => {
    const tag = freshName('sensors');
    const { allowed } = await error(
      start([handlerOf(`${tag}.*`, () => undefined)], {
        streams: { [`${tag}.eu`]: { partitions: 2 } },
      }),
    );
    expect(allowed).toContain('a wildcard does not read partitions');
  });
});
