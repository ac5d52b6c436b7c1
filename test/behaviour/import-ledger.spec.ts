import { describe, expect, it } from '@jest/globals';

import {
  importLedger,
  type ImportLedgerOptions,
  type ImportLedgerProgress,
  InvalidOptionsError,
} from '../../lib/index.js';
import { dtpyfwLedgerKey, streamKeys } from '../../lib/wire/stream-keys.js';
import { freshName } from '../support/fresh-name.js';
import { isCaughtUp } from '../support/group-state.js';
import { LedgerConsumer } from '../support/ledger-consumer.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach, handlerOf, streamsApp } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
closeAppsAfterEach();

const DAY_MS = 24 * 60 * 60 * 1000;

const imported = (options: Omit<ImportLedgerOptions, 'connection'>) =>
  importLedger({ connection: redis.url, ...options });

/** Writes an entry as dtpyfw does, or with a message ID as this package does. */
const add = async (stream: string, n: number, messageId?: string): Promise<string> => {
  const id = messageId === undefined ? [] : ['id', messageId];
  return String(
    await redis.client.xadd(stream, '*', 'name', 'n', 'body', JSON.stringify(n), ...id),
  );
};

describe('a service that moves from dtpyfw with its group', () => {
  it.each<[string, string | undefined]>([
    ['of dtpyfw', undefined],
    ['with message IDs of their own', 'order'],
  ])(
    'runs what its predecessor had not begun, and nothing else: entries %s',
    async (_, messageId) => {
      const stream = freshName('orders');
      const group = `${stream}:processor:cg`;
      const ids: string[] = [];
      for (let n = 0; n < 5; n++) {
        ids.push(await add(stream, n, messageId && `${messageId}-${n}`));
      }
      await redis.client.xgroup('CREATE', stream, group, '0');
      const read = ['GROUP', group, 'processor.1', 'COUNT', '4', 'STREAMS', stream, '>'];
      await redis.client.call('XREADGROUP', ...read);
      // The first is done, the second and third have begun, the fourth was only read, the fifth not yet.
      const from = dtpyfwLedgerKey('', stream, group);
      for (const id of ids.slice(0, 3)) await redis.client.zadd(from, 'NX', Date.now(), id);
      await redis.client.xack(stream, group, ids[0]!);

      expect(await imported({ stream, group })).toEqual({ imported: 3, known: 0, outside: 0 });
      const got: number[] = [];
      await streamsApp(
        {
          connection: redis.url,
          group,
          recovery: { minIdleMs: 1_000, intervalMs: 200 },
        },
        { controllers: [handlerOf(stream, (n: number) => got.push(n))] },
      );
      await waitFor(() => got.length === 2);
      await waitFor(() => isCaughtUp(redis.client, stream, group));
      expect(got.sort()).toEqual([3, 4]);
      expect(await redis.client.zcard(from)).toBe(3);
    },
  );
});

describe('a service that moves from dtpyfw to another group', () => {
  it('reads from the beginning, and runs only what its predecessor had not begun', async () => {
    const [stream, group] = [freshName('orders'), freshName('billing')];
    const from = dtpyfwLedgerKey('', stream, `${stream}:processor:cg`);
    for (let n = 0; n < 4; n++) {
      const id = await add(stream, n);
      if (n < 3) await redis.client.zadd(from, 'NX', Date.now(), id);
    }
    expect(await imported({ stream, group, from })).toMatchObject({ imported: 3 });
    const got: number[] = [];
    const { monitor } = await streamsApp(
      { connection: redis.url, group, startFrom: 'beginning' },
      { controllers: [handlerOf(stream, (n: number) => got.push(n))] },
    );
    await waitFor(() => got.length === 1);
    await waitFor(() => isCaughtUp(redis.client, stream, group));
    expect(got).toEqual([3]);
    expect(monitor.getStats().counts.duplicate).toBe(3);
  });
});

describe('importLedger()', () => {
  const place = () => {
    const stream = freshName('orders');
    const group = LedgerConsumer.GROUP;
    const { ledger } = streamKeys('', stream, group);
    return { stream, group, ledger, from: dtpyfwLedgerKey('', stream, group) };
  };

  it('leaves out what is older than the window, and takes a time in the future as now', async () => {
    const { stream, group, ledger, from } = place();
    const now = Date.now();
    const rows = { '1-1': now - 8 * DAY_MS, '2-1': now - 6 * DAY_MS, '3-1': now + DAY_MS };
    for (const [id, at] of Object.entries(rows)) await redis.client.zadd(from, at, id);
    expect(await imported({ stream, group })).toEqual({ imported: 2, known: 0, outside: 1 });
    expect(await redis.client.zrange(ledger, 0, '-1')).toEqual(['2-1', '3-1']);
    expect(await redis.client.zscore(ledger, '2-1')).toBe(String(rows['2-1']));
    expect(Number(await redis.client.zscore(ledger, '3-1'))).toBeLessThan(now + DAY_MS / 2);
    expect(await imported({ stream, group, windowMs: DAY_MS })).toMatchObject({ outside: 2 });
  });

  it('may be repeated, and leaves what the ledger has, packed or not', async () => {
    const { stream, group, ledger, from } = place();
    const at = Date.now() - 10_000;
    for (let n = 1; n <= 5; n++) await redis.client.zadd(from, at, `${n}-0`);
    await redis.client.zadd(ledger, at - 2, '1-0', at - 1, '2-0');
    await new LedgerConsumer(redis.client, stream).packStep(1, 1);
    expect(await redis.client.zrange(ledger, 0, '-1')).toEqual(['2-0']);
    expect(await imported({ stream, group })).toEqual({ imported: 3, known: 2, outside: 0 });
    expect(await imported({ stream, group })).toEqual({ imported: 0, known: 5, outside: 0 });
    expect(await redis.client.zscore(ledger, '1-0')).toBeNull();
    expect(await redis.client.zscore(ledger, '2-0')).toBe(String(at - 1));
    await redis.client.zadd(from, at, '6-0');
    expect(await imported({ stream, group })).toEqual({ imported: 1, known: 5, outside: 0 });
  });

  it('takes any ZSET in bounded steps, and reports each', async () => {
    const { stream, group, ledger } = place();
    const from = freshName('processed');
    const rows = Array.from({ length: 1_000 }, (_, n) => [Date.now(), `message-${n}`]);
    await redis.client.zadd(from, ...rows.flat());
    const steps: ImportLedgerProgress[] = [];
    const onProgress = (progress: ImportLedgerProgress): number => steps.push(progress);
    expect(await imported({ stream, group, from, onProgress })).toMatchObject({ imported: 1_000 });
    expect(await redis.client.zcard(ledger)).toBe(1_000);
    expect(steps.length).toBeGreaterThan(5);
    expect(steps.at(-1)).toEqual({ done: 1_000, total: 1_000 });
    for (const [at, { done }] of steps.entries()) {
      expect(done - (steps[at - 1]?.done ?? 0)).toBeLessThanOrEqual(100);
    }
  });

  it('refuses a key that is no ZSET, none, or the ledger itself, and names it', async () => {
    const { stream, group, from } = place();
    await expect(imported({ stream, group })).rejects.toThrow(`${from}", which does not exist`);
    await redis.client.set(from, '1');
    await expect(imported({ stream, group })).rejects.toThrow('is a string');
    const tagged = `{${freshName('eu')}}:orders`;
    const { ledger } = streamKeys('', tagged, group);
    await expect(imported({ stream: tagged, group })).rejects.toThrow(
      `${ledger}", which is the group's own ledger`,
    );
    await expect(imported({ stream, group, windowMs: 0 })).rejects.toThrow(InvalidOptionsError);
  });
});
