import { describe, expect, it } from '@jest/globals';

import type { RedisStreamsModuleOptions } from '../../lib/index.js';
import { placesOf } from '../../lib/wire/partitions.js';
import { freshName } from '../support/fresh-name.js';
import { addEntries } from '../support/group-state.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach, handlerOf, streamsApp } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
closeAppsAfterEach();

const LONG_MS = 60_000;

interface Mode {
  readonly partitions?: number;
  readonly server?: Partial<RedisStreamsModuleOptions>;
}

const MODES: Record<string, Mode> = {
  'at least once': {},
  'without a ledger': { server: { dedup: false } },
  'at most once': { server: { delivery: 'at-most-once' } },
  'with partitions': { partitions: 2 },
};

const ttlOf = (key: string): Promise<number> => redis.client.pttl(key);

describe.each(Object.keys(MODES))('a stream whose readers have ttlMs, %s', (mode) => {
  const { partitions, server } = MODES[mode]!;

  /** An app that reads a stream of its own, and what it was given. */
  async function reader(ttlMs: number | undefined) {
    const stream = freshName('progress');
    const got: number[] = [];
    const limits = ttlMs === undefined ? {} : { ttlMs, force: true as const };
    const app = await streamsApp(
      {
        connection: redis.url,
        group: freshName('billing'),
        blockMs: 200,
        ...server,
        streams: {
          [stream]: { ...limits, ...(partitions === undefined ? {} : { partitions }) },
        },
      },
      { controllers: [handlerOf(stream, ({ n }: { n: number }) => got.push(n))] },
    );
    return { app, got, keys: placesOf(stream, partitions) };
  }

  it('expires if nobody publishes and nobody reads any more', async () => {
    const { app, keys } = await reader(LONG_MS);
    for (const key of keys) {
      expect(await ttlOf(key)).toBeGreaterThan(LONG_MS / 2);
      expect(await ttlOf(key)).toBeLessThanOrEqual(LONG_MS);
    }
    await app.close();
    for (const key of keys) expect(await ttlOf(key)).toBeGreaterThan(0);
  });

  it('lasts as long as it is read', async () => {
    const { app, keys } = await reader(1_000);
    for (const change of ['persist', 'pexpire'] as const) {
      for (const key of keys) {
        await (change === 'persist'
          ? redis.client.persist(key)
          : redis.client.pexpire(key, 30_000));
      }
      await waitFor(async () => {
        const left = await Promise.all(keys.map(ttlOf));
        return left.every((ms) => ms > 500 && ms <= 1_000);
      });
    }
    await app.close();
    await waitFor(async () => (await redis.client.exists(...keys)) === 0);
  });

  it('is not renewed for each message', async () => {
    const { got, keys } = await reader(LONG_MS);
    for (const [at, key] of keys.entries()) {
      for (const n of [1, 2, 3]) {
        await addEntries(redis.client, key, [{ n: at * 3 + n }]);
        await waitFor(() => got.includes(at * 3 + n));
        // Once it has started, and with it the first renewal is over.
        if (n === 1) await redis.client.pexpire(key, LONG_MS / 2);
      }
      expect(await ttlOf(key)).toBeLessThanOrEqual(LONG_MS / 2);
    }
  });

  it('keeps to what it was given if its readers have no ttlMs', async () => {
    const { got, keys } = await reader(undefined);
    const [key = ''] = keys;
    expect(await ttlOf(key)).toBe(-1);
    await redis.client.pexpire(key, LONG_MS);
    await addEntries(redis.client, key, [{ n: 1 }]);
    await waitFor(() => got.includes(1));
    expect(await ttlOf(key)).toBeGreaterThan(LONG_MS / 2);
  });
});
