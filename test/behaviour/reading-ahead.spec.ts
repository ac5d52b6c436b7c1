import { describe, expect, it } from '@jest/globals';

import type { RedisStreamsModuleOptions } from '../../lib/index.js';
import { partitionName } from '../../lib/wire/partitions.js';
import { freshName } from '../support/fresh-name.js';
import { addEntries, groupState, isCaughtUp, pendingEntries } from '../support/group-state.js';
import { addToPartitions, arePartitionsCaughtUp } from '../support/partitions.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach, handlerOf, streamsApp } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
closeAppsAfterEach();

const GROUP = 'billing';

describe('reading ahead', () => {
  it('a handler that did not wait before and then waits holds at most two more batches, in order', async () => {
    const stream = freshName('orders');
    const got: number[] = [];
    let release: () => void = () => undefined;
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const all = Array.from({ length: 4_000 }, (_, n) => n);
    await addEntries(
      redis.client,
      stream,
      all.map((n) => ({ n })),
    );
    await streamsApp(
      { connection: redis.url, group: GROUP, batchSize: 50 },
      {
        controllers: [
          handlerOf(
            stream,
            (data) => {
              const { n } = data as { n: number };
              got.push(n);
              return n === 2_000 ? released : undefined;
            },
            { startFrom: 'beginning' },
          ),
        ],
      },
    );
    await waitFor(() => got.length === 2_001);
    // Once those before it are settled, pending means held.
    await waitFor(
      async () => (await pendingEntries(redis.client, stream, GROUP)).length <= 1 + 3 * 50,
    );
    expect(got).toHaveLength(2_001);
    release();
    await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
    expect(got).toEqual(all);
  });
});

describe('reading ahead of large entries', () => {
  const KIB = 1_024;
  const MESSAGES = 80;
  const PARTITIONS = 2;
  const large = (n: number): { n: number; text: string } => ({ n, text: 'x'.repeat(64 * KIB) });
  /** As many as this have room in `readAheadBytes`. */
  const FIT = 8;
  const readAheadBytes = (FIT + 0.5) * 64 * KIB;

  const modes: readonly (readonly [string, Partial<RedisStreamsModuleOptions>])[] = [
    ['at-least-once', {}],
    ['at-most-once', { delivery: 'at-most-once' }],
    ['without a ledger', { dedup: false }],
    ['many at a time', { concurrency: 4 }],
  ];
  for (const [name, options] of modes) {
    it(`holds no more bytes than allowed in addition to those that run: ${name}`, async () => {
      const stream = freshName('orders');
      const bodies = Array.from({ length: MESSAGES }, (_, n) => large(n));
      const ids = await addEntries(redis.client, stream, bodies);
      let started = 0;
      let ended = 0;
      let most = 0;
      const handler = handlerOf(stream, async () => {
        started++;
        const { lastDeliveredId = '' } = (await groupState(redis.client, stream, GROUP)) ?? {};
        most = Math.max(most, ids.indexOf(lastDeliveredId) + 1 - started);
        ended++;
      });
      await streamsApp(
        { connection: redis.url, group: GROUP, startFrom: 'beginning', readAheadBytes, ...options },
        { controllers: [handler] },
      );
      await waitFor(() => ended === MESSAGES);
      expect(most).toBeLessThanOrEqual(FIT);
      // It does read ahead.
      expect(most).toBeGreaterThan(1);
      await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
    });
  }

  it('shares the allowed bytes among the partitions of a stream', async () => {
    const stream = freshName('orders');
    const entries = Array.from({ length: MESSAGES }, (_, n) => ({ body: large(n), key: `k${n}` }));
    const ids = await addToPartitions(redis.client, stream, PARTITIONS, entries);
    const names = Array.from({ length: PARTITIONS }, (_, n) => partitionName(stream, n));
    let started = 0;
    let most = 0;
    const handler = handlerOf(stream, async () => {
      started++;
      const inEach = await Promise.all(
        names.map(async (each) => {
          const state = await groupState(redis.client, each, GROUP);
          const here = await redis.client.xrange(each, '-', state?.lastDeliveredId ?? '-');
          return here.length;
        }),
      );
      most = Math.max(most, inEach.reduce((sum, count) => sum + count) - started);
    });
    await streamsApp(
      {
        connection: redis.url,
        group: GROUP,
        startFrom: 'beginning',
        readAheadBytes,
        streams: { [stream]: { partitions: PARTITIONS } },
      },
      { controllers: [handler] },
    );
    await waitFor(() => started === ids.length);
    expect(most).toBeLessThanOrEqual(FIT);
    await waitFor(() => arePartitionsCaughtUp(redis.client, stream, PARTITIONS, GROUP));
  });

  it('takes over no more bytes of a dead consumer than allowed', async () => {
    const stream = freshName('orders');
    const bodies = Array.from({ length: 30 }, (_, n) => large(n));
    const ids = await addEntries(redis.client, stream, bodies);
    await redis.client.xgroup('CREATE', stream, GROUP, '0');
    await redis.client.xreadgroup('GROUP', GROUP, 'dead', 'COUNT', 100, 'STREAMS', stream, '>');
    const longAgo = ['IDLE', 3_600_000, 'JUSTID'] as const;
    await redis.client.xclaim(stream, GROUP, 'dead', 0, ...ids, ...longAgo);
    let ended = 0;
    let most = 0;
    const handler = handlerOf(stream, async () => {
      const pending = await pendingEntries(redis.client, stream, GROUP);
      // The one that runs, and those before it that are not settled yet, are pending too.
      most = Math.max(most, pending.filter(({ consumer }) => consumer === 'living').length - 1);
      ended++;
    });
    await streamsApp(
      { connection: redis.url, group: GROUP, consumer: 'living', readAheadBytes },
      { controllers: [handler] },
    );
    await waitFor(() => ended === ids.length);
    expect(most).toBeLessThanOrEqual(FIT);
    await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
  });

  it('reads at least one entry, however little is allowed, and a pattern can set it for itself', async () => {
    const stream = freshName('orders');
    const got: number[] = [];
    const all = Array.from({ length: 500 }, (_, n) => n);
    await addEntries(
      redis.client,
      stream,
      all.map((n) => ({ n })),
    );
    const handler = handlerOf<{ n: number }>(stream, ({ n }) => void got.push(n), {
      readAheadBytes: 1,
    });
    await streamsApp(
      { connection: redis.url, group: GROUP, startFrom: 'beginning' },
      { controllers: [handler] },
    );
    await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
    expect(got).toEqual(all);
  });
});
