import { afterEach, describe, expect, it } from '@jest/globals';
import { Injectable, type OnApplicationShutdown } from '@nestjs/common';

import type { RedisStreamsModuleOptions, SubscriptionOptions } from '../../lib/index.js';
import { freshName } from '../support/fresh-name.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach, handlerOf, streamsApp } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests({ args: [] });
closeAppsAfterEach();

/** What Redis refuses while an app closes, and how to make it refuse that. */
const REFUSALS: Record<string, { begin(): Promise<unknown>; end(): Promise<unknown> }> = {
  'is read-only': {
    begin: () => redis.client.replicaof('127.0.0.1', 1),
    end: () => redis.client.replicaof('NO', 'ONE'),
  },
  'is full': {
    begin: () => redis.client.config('SET', 'maxmemory', '1'),
    end: () => redis.client.config('SET', 'maxmemory', '0'),
  },
};
afterEach(async () => {
  for (const { end } of Object.values(REFUSALS)) await end();
});

interface Mode {
  readonly pattern: (stream: string) => string;
  readonly options?: (stream: string) => Partial<RedisStreamsModuleOptions>;
  readonly subscription?: SubscriptionOptions;
}
const plain = (stream: string): string => stream;
const partitions = (stream: string): Partial<RedisStreamsModuleOptions> => ({
  streams: { [stream]: { partitions: 2 } },
});
const MODES: Record<string, Mode> = {
  'by default': { pattern: plain },
  'at-most-once': { pattern: plain, subscription: { delivery: 'at-most-once' } },
  'without a ledger': { pattern: plain, subscription: { dedup: false } },
  'with a wildcard': { pattern: (stream) => `${stream}*` },
  'with partitions': { pattern: plain, options: partitions },
  'with partitions, at-most-once': {
    pattern: plain,
    options: partitions,
    subscription: { delivery: 'at-most-once' },
  },
  'with partitions, without a ledger': {
    pattern: plain,
    options: partitions,
    subscription: { dedup: false },
  },
};

describe.each(Object.keys(REFUSALS))('an app that closes while Redis %s', (refusal) => {
  it.each(Object.keys(MODES))(
    'closes its connections and runs the shutdown hooks of the app, %s',
    async (mode) => {
      const { pattern, options, subscription } = MODES[mode] as Mode;
      const stream = freshName('orders');
      const calls: string[] = [];
      @Injectable()
      class LastHook implements OnApplicationShutdown {
        onApplicationShutdown(): void {
          calls.push('shutdown');
        }
      }
      let end: () => void = () => undefined;
      const running = new Promise<void>((resolve) => (end = resolve));
      const app = await streamsApp(
        {
          connection: redis.url,
          group: 'billing',
          startFrom: 'beginning',
          discoveryIntervalMs: 200,
          shutdown: { drainTimeoutMs: 500 },
          ...options?.(stream),
        },
        {
          controllers: [
            handlerOf(
              pattern(stream),
              async () => {
                calls.push('handler');
                await running;
              },
              subscription,
            ),
          ],
          providers: [LastHook],
        },
      );
      await Promise.all([1, 2, 3].map((n) => app.emit(stream, { n })));
      await waitFor(() => calls.includes('handler'));
      const { consumer } = app.server.options;
      const connections = async (): Promise<string[]> =>
        String(await redis.client.client('LIST'))
          .split('\n')
          .filter((line) => line.includes(consumer));
      expect((await connections()).length).toBeGreaterThanOrEqual(2);
      await REFUSALS[refusal]?.begin();
      setImmediate(end);
      await app.close();
      expect(calls.at(-1)).toBe('shutdown');
      await waitFor(async () => (await connections()).length === 0);
    },
  );
});
