import { afterEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';

import { DeadLetters, InvalidOptionsError } from '../../lib/index.js';
import { partitionName } from '../../lib/wire/partitions.js';
import { freshName } from '../support/fresh-name.js';
import { recordedLog } from '../support/recorded-log.js';
import { redisForTests } from '../support/redis-for-tests.js';

const redis = redisForTests();
Logger.overrideLogger(recordedLog);

const GROUP = 'billing';
const COUNT = 3;
const keyOf = (stream: string, partition: number, what: string): string =>
  `stream:${partitionName(stream, partition)}:group:${GROUP}:${what}`;

const opened: DeadLetters[] = [];
afterEach(() => {
  for (const deadLetters of opened.splice(0)) deadLetters.close();
});
function deadLettersOf(stream: string): DeadLetters {
  const streams = { [stream]: { partitions: COUNT } };
  const deadLetters = new DeadLetters({ connection: redis.url, group: GROUP, streams });
  opened.push(deadLetters);
  return deadLetters;
}

/** Writes dead letters as the owners of partitions do: with Redis's ID, and the partition. */
async function write(stream: string, ids: readonly string[]): Promise<void> {
  for (const [n, letterId] of ids.entries()) {
    const [partition = '', id = ''] = letterId.split(':');
    const body = ['name', stream, 'body', `{"n":${n}}`, 'id', `order-${n}`];
    const why = ['dead-letter-reason', 'failed', 'dead-letter-entry-id', '1-1'];
    const key = keyOf(stream, Number(partition), 'dead-letters');
    await redis.client.xadd(key, id, ...body, ...why, 'dead-letter-stream', stream);
  }
}

/** Two of them have the same ID in two partitions. */
const IDS = ['1:5-0', '0:7-0', '2:7-0', '0:20-1', '2:21-0', '1:100-0'];

async function written(): Promise<{ stream: string; deadLetters: DeadLetters }> {
  const stream = freshName('orders');
  await write(stream, IDS);
  return { stream, deadLetters: deadLettersOf(stream) };
}

describe('the dead letters of a stream with partitions', () => {
  it('are listed in one order, the newest first, and contain their partition', async () => {
    const { stream, deadLetters } = await written();
    const list = await deadLetters.list({ stream });
    const newestFirst = ['1:100-0', '2:21-0', '0:20-1', '0:7-0', '2:7-0', '1:5-0'];
    expect(list.map(({ id }) => id)).toEqual(newestFirst);
    expect(list.map(({ partition }) => partition)).toEqual([1, 2, 0, 0, 2, 1]);
    expect(new Set(list.map((letter) => letter.stream))).toEqual(new Set([stream]));
    expect(await deadLetters.count({ stream })).toBe(IDS.length);
  });

  it.each([1, 2, 3, 4, 5])('are paged without duplicates or gaps, %d a page', async (limit) => {
    const { stream, deadLetters } = await written();
    const all = await deadLetters.list({ stream });
    const paged: string[] = [];
    let page = await deadLetters.list({ stream, limit });
    while (page.length > 0) {
      paged.push(...page.map(({ id }) => id));
      page = await deadLetters.list({ stream, limit, before: paged.at(-1)! });
    }
    expect(paged).toEqual(all.map(({ id }) => id));
  });

  it('are found by their IDs', async () => {
    const { stream, deadLetters } = await written();
    expect(await deadLetters.get({ stream, id: '2:7-0' })).toMatchObject({
      id: '2:7-0',
      partition: 2,
      messageId: 'order-2',
    });
    expect(await deadLetters.get({ stream, id: '1:7-0' })).toBeUndefined();
  });

  it('are redriven in their partitions: the oldest first, only these, or all', async () => {
    const { stream, deadLetters } = await written();
    const waiting = (partition: number): Promise<string[]> =>
      redis.client.zrange(keyOf(stream, partition, 'retries'), 0, '-1');
    expect(await deadLetters.redrive({ stream, limit: 2 })).toEqual({ redriven: 2 });
    expect([await waiting(0), await waiting(1), await waiting(2)]).toEqual([
      ['dead-letter:7-0'],
      ['dead-letter:5-0'],
      [],
    ]);
    expect(await deadLetters.redrive({ stream, ids: ['2:21-0', '0:7-0'] })).toEqual({
      redriven: 1,
    });
    expect(await waiting(2)).toEqual(['dead-letter:21-0']);
    const reports: unknown[] = [];
    const filter = ({ partition }: { partition: number | undefined }): boolean => partition !== 1;
    const onProgress = (progress: unknown): unknown => reports.push(progress);
    expect(await deadLetters.redrive({ stream, filter, onProgress })).toEqual({ redriven: 2 });
    expect(reports).toEqual([{ redriven: 2, scanned: 6, total: 6 }]);
    expect(await waiting(1)).toEqual(['dead-letter:5-0']);
  });

  it('are purged in their partitions', async () => {
    const { stream, deadLetters } = await written();
    expect(await deadLetters.purge({ stream, ids: ['2:7-0', '1:7-0'] })).toEqual({ purged: 1 });
    expect(await deadLetters.get({ stream, id: '0:7-0' })).toBeDefined();
    expect(await deadLetters.purge({ stream })).toEqual({ purged: 5 });
    expect(await deadLetters.count({ stream })).toBe(0);
  });

  it('are read on if there are more than a page of them', async () => {
    const stream = freshName('orders');
    const ids = Array.from({ length: 350 }, (_, n) => `${n % 5 === 0 ? n % 3 : 1}:${n + 1}-0`);
    await write(stream, ids);
    const deadLetters = deadLettersOf(stream);
    const list = await deadLetters.list({ stream, limit: 300 });
    const newest = ids.map((_, at) => ids.at(-1 - at));
    expect(list.map(({ id }) => id)).toEqual(newest.slice(0, 300));
    const seen: string[] = [];
    const filter = ({ id }: { id: string }): boolean => seen.push(id) > 0;
    expect(await deadLetters.purge({ stream, filter })).toEqual({ purged: 350 });
    expect(seen).toEqual(ids);
  });

  it('are refused if their IDs lack the partition, or name one that does not exist', async () => {
    const { stream, deadLetters } = await written();
    const other = freshName('payments');
    for (const asked of [
      () => deadLetters.get({ stream, id: '7-0' }),
      () => deadLetters.get({ stream, id: '3:7-0' }),
      () => deadLetters.list({ stream, before: '7-0' }),
      () => deadLetters.redrive({ stream, ids: ['0:7-0', '7-0'] }),
      () => deadLetters.purge({ stream, ids: ['0:7-0', '7-0'] }),
      () => deadLetters.get({ stream: other, id: '0:7-0' }),
    ]) {
      await expect(asked()).rejects.toBeInstanceOf(InvalidOptionsError);
    }
    await expect(deadLetters.purge({ stream, ids: ['0:7-0', '7-0'] })).rejects.toThrow(
      'Option "purge.ids.1": given "7-0", allowed: the ID of a dead letter with its partition (0 to 2)',
    );
    expect(await deadLetters.count({ stream })).toBe(IDS.length);
  });
});
