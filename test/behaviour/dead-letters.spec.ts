import { afterEach, describe, expect, it } from '@jest/globals';

import {
  DeadLetters,
  type DeadLettersOptions,
  InvalidOptionsError,
  type PurgeDeadLetters,
  type RedriveDeadLetters,
} from '../../lib/index.js';
import { freshName, freshPrefix } from '../support/fresh-name.js';
import { addEntries } from '../support/group-state.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach, handlerOf, streamsApp } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
closeAppsAfterEach();

const GROUP = 'billing';
const keyOf = (stream: string, what: string): string => `stream:{${stream}}:group:${GROUP}:${what}`;

const opened: DeadLetters[] = [];
afterEach(() => {
  for (const deadLetters of opened.splice(0)) deadLetters.close();
});
function standalone(options: DeadLettersOptions = {}): DeadLetters {
  const deadLetters = new DeadLetters({ connection: redis.url, group: GROUP, ...options });
  opened.push(deadLetters);
  return deadLetters;
}

/** Writes dead letters as a consumer does: the fields of an entry, and the reason. */
async function write(stream: string, bodies: readonly unknown[]): Promise<string[]> {
  const pipeline = redis.client.pipeline();
  for (const body of bodies) {
    pipeline.xadd(
      keyOf(stream, 'dead-letters'),
      '*',
      'name',
      stream,
      'body',
      JSON.stringify(body),
      'dead-letter-reason',
      'failed 1 time(s)',
      'dead-letter-attempts',
      '1',
      'dead-letter-entry-id',
      '1-1',
      'dead-letter-failed-at',
      '1729768245123',
    );
  }
  return ((await pipeline.exec()) ?? []).map(([, id]) => String(id));
}
const numbers = (count: number): { n: number }[] =>
  Array.from({ length: count }, (_, n) => ({ n }));

describe('DeadLetters of an app', () => {
  it('lists dead letters with reason, place and time, and with their fields byte for byte', async () => {
    const stream = freshName('orders');
    const { app, server } = await streamsApp(
      { connection: redis.url, group: GROUP, retry: { maxAttempts: 1 } },
      {
        controllers: [
          handlerOf(stream, () => {
            throw new TypeError('out of stock');
          }),
        ],
      },
    );
    const bytes = Buffer.from([0, 255, 1, 254]);
    const before = Date.now() - 60_000;
    const entryId = String(
      await redis.client.xadd(
        stream,
        '*',
        'name',
        'order.created',
        'body',
        '{"n":1}',
        'id',
        'order-1',
        'headers',
        '{"tenant":"eu"}',
        'blob',
        bytes,
        // As if somebody published a dead letter again by hand.
        'dead-letter-reason',
        'of an earlier life',
        'dead-letter-entry-id',
        '7-7',
      ),
    );
    const deadLetters = app.get(DeadLetters);
    await waitFor(async () => (await deadLetters.count({ stream })) === 1);
    const [letter] = await deadLetters.list({ stream });
    expect(letter).toEqual({
      id: expect.stringMatching(/^\d+-\d+$/),
      entryId,
      stream,
      group: GROUP,
      consumer: server.options.consumer,
      messageId: 'order-1',
      name: 'order.created',
      reason: 'failed 1 time(s)',
      error: {
        name: 'TypeError',
        message: 'out of stock',
        stack: expect.stringContaining('dead-letters.spec'),
        causes: undefined,
        details: undefined,
      },
      cut: [],
      attempts: 1,
      failedAt: expect.any(Date),
      fields: [
        'name',
        'order.created',
        'body',
        '{"n":1}',
        'id',
        'order-1',
        'headers',
        '{"tenant":"eu"}',
        'blob',
        bytes,
        'dead-letter-reason',
        'of an earlier life',
        'dead-letter-entry-id',
        '7-7',
      ].map((field) => Buffer.from(field)),
      payload: { n: 1 },
      headers: { tenant: 'eu' },
    });
    expect(letter?.failedAt.getTime()).toBeGreaterThan(before);
    expect(await deadLetters.get({ stream, id: letter?.id ?? '' })).toEqual(letter);
  });

  it('lists what no codec can read, without a payload', async () => {
    const stream = freshName('orders');
    const { app } = await streamsApp(
      { connection: redis.url, group: GROUP },
      { controllers: [handlerOf(stream, () => undefined)] },
    );
    const bytes = Buffer.from([0, 255, 1, 254]);
    const entryId = String(await redis.client.xadd(stream, '*', 'blob', bytes));
    const deadLetters = app.get(DeadLetters);
    await waitFor(async () => (await deadLetters.count({ stream })) === 1);
    const [letter] = await deadLetters.list({ stream });
    expect(letter).toMatchObject({ entryId, messageId: entryId, attempts: 0, headers: {} });
    expect(letter?.fields).toEqual([Buffer.from('blob'), bytes]);
    expect(letter?.payload).toBeUndefined();
    expect(letter?.name).toBeUndefined();
  });

  it('lists those of another group of the app, and respects its key prefix', async () => {
    const stream = freshName('orders');
    const keyPrefix = freshPrefix();
    const { app } = await streamsApp(
      { connection: redis.url, group: 'shipping', keyPrefix },
      {
        controllers: [
          handlerOf(
            stream,
            () => {
              throw new Error('no');
            },
            { retry: { maxAttempts: 1 } },
          ),
        ],
      },
    );
    await addEntries(redis.client, keyPrefix + stream, [{ n: 1 }]);
    const deadLetters = app.get(DeadLetters);
    await waitFor(async () => (await deadLetters.count({ stream })) === 1);
    expect(await deadLetters.count({ stream, group: GROUP })).toBe(0);
    expect(await standalone({ keyPrefix }).count({ stream, group: 'shipping' })).toBe(1);
  });
});

describe('list', () => {
  it('returns the newest first, page by page', async () => {
    const stream = freshName('orders');
    const ids = await write(stream, numbers(25));
    const deadLetters = standalone();
    const seen: string[] = [];
    for (let before: string | undefined; ;) {
      const page = await deadLetters.list({
        stream,
        limit: 10,
        ...(before === undefined ? {} : { before }),
      });
      seen.push(...page.map(({ id }) => id));
      before = page.at(-1)?.id;
      if (before === undefined) break;
    }
    expect(seen).toEqual(ids.map((_, at) => ids.at(-1 - at)));
  });

  it('returns 100 if no limit is set', async () => {
    const stream = freshName('orders');
    await write(stream, numbers(120));
    expect(await standalone().list({ stream })).toHaveLength(100);
  });

  it('reads what another program wrote as well as possible', async () => {
    const stream = freshName('orders');
    const id = String(await redis.client.xadd(keyOf(stream, 'dead-letters'), '*', 'a', 'b'));
    expect(await standalone().list({ stream })).toEqual([
      expect.objectContaining({
        id,
        entryId: id,
        messageId: id,
        stream,
        group: GROUP,
        reason: '',
        error: undefined,
        failedAt: new Date(Number(id.split('-')[0])),
        fields: [Buffer.from('a'), Buffer.from('b')],
      }),
    ]);
  });
});

describe('a stream that does not exist', () => {
  it('has no dead letters', async () => {
    const stream = freshName('orders');
    const deadLetters = standalone();
    expect(await deadLetters.list({ stream })).toEqual([]);
    expect(await deadLetters.count({ stream })).toBe(0);
    expect(await deadLetters.get({ stream, id: '1-1' })).toBeUndefined();
    expect(await deadLetters.redrive({ stream })).toEqual({ redriven: 0 });
    expect(await deadLetters.redrive({ stream, ids: ['1-1'] })).toEqual({ redriven: 0 });
    expect(await deadLetters.purge({ stream })).toEqual({ purged: 0 });
    expect(await redis.client.keys(`*${stream}*`)).toEqual([]);
  });
});

describe('purge', () => {
  it('removes the named ones, once', async () => {
    const stream = freshName('orders');
    const [first = '', second = '', third = ''] = await write(stream, numbers(3));
    const deadLetters = standalone();
    const selection = { stream, ids: [first, third, third, '1-1'] };
    expect(await deadLetters.purge(selection)).toEqual({ purged: 2 });
    expect(await deadLetters.purge(selection)).toEqual({ purged: 0 });
    expect((await deadLetters.list({ stream })).map(({ id }) => id)).toEqual([second]);
  });

  it('removes what a filter selects, through all pages', async () => {
    const stream = freshName('orders');
    await write(stream, numbers(250));
    const deadLetters = standalone();
    const odd = async ({ payload }: { payload: unknown }): Promise<boolean> =>
      (payload as { n: number }).n % 2 === 1;
    expect(await deadLetters.purge({ stream, filter: odd })).toEqual({ purged: 125 });
    const left = await deadLetters.list({ stream, limit: 1_000 });
    expect(left).toHaveLength(125);
    expect(left.every(({ payload }) => (payload as { n: number }).n % 2 === 0)).toBe(true);
  });

  it('removes all, including those that wait for a redrive', async () => {
    const stream = freshName('orders');
    await write(stream, numbers(250));
    const deadLetters = standalone();
    expect(await deadLetters.redrive({ stream, limit: 30 })).toEqual({ redriven: 30 });
    expect(await redis.client.zcard(keyOf(stream, 'retries'))).toBe(30);
    expect(await deadLetters.purge({ stream })).toEqual({ purged: 250 });
    expect(await deadLetters.count({ stream })).toBe(0);
    expect(await redis.client.exists(keyOf(stream, 'retries'))).toBe(0);
  });

  it('stops if the filter throws; what it selected on earlier pages stays removed', async () => {
    const stream = freshName('orders');
    await write(stream, numbers(150));
    const deadLetters = standalone();
    const filter = ({ payload }: { payload: unknown }): boolean => {
      if ((payload as { n: number }).n === 120) throw new Error('not this one');
      return true;
    };
    await expect(deadLetters.purge({ stream, filter })).rejects.toThrow('not this one');
    expect(await deadLetters.count({ stream })).toBe(50);
  });
});

describe('invalid arguments', () => {
  const stream = 'orders';
  const filter = (): boolean => true;
  it.each([
    ['list.limit', (letters: DeadLetters) => letters.list({ stream, limit: 0 })],
    ['list.limit', (letters: DeadLetters) => letters.list({ stream, limit: 1_001 })],
    ['list.before', (letters: DeadLetters) => letters.list({ stream, before: 'newest' })],
    ['list.stream', (letters: DeadLetters) => letters.list({ stream: '' })],
    ['count.group', (letters: DeadLetters) => letters.count({ stream, group: '' })],
    ['get.id', (letters: DeadLetters) => letters.get({ stream, id: 'order-1' })],
    ['redrive.limit', (letters: DeadLetters) => letters.redrive({ stream, limit: -1 })],
    ['redrive.ids.0', (letters: DeadLetters) => letters.redrive({ stream, ids: ['order-1'] })],
    [
      'redrive.filter',
      (letters: DeadLetters) =>
        letters.redrive({ stream, ids: [], filter } as unknown as RedriveDeadLetters),
    ],
    [
      'purge.filter',
      (letters: DeadLetters) =>
        letters.purge({ stream, ids: ['1-1'], filter } as unknown as PurgeDeadLetters),
    ],
    [
      'purge.limit',
      (letters: DeadLetters) => letters.purge({ stream, limit: 1 } as unknown as PurgeDeadLetters),
    ],
  ])('%s is named in the error', async (path, call) => {
    await expect(call(standalone())).rejects.toMatchObject({ code: 'INVALID_OPTIONS', path });
  });

  it('a group must be given somewhere', async () => {
    const deadLetters = new DeadLetters({ connection: redis.url });
    await expect(deadLetters.count({ stream })).rejects.toMatchObject({
      code: 'INVALID_OPTIONS',
      path: 'count.group',
    });
    expect(() => new DeadLetters({ groups: 'x' } as unknown as DeadLettersOptions)).toThrow(
      InvalidOptionsError,
    );
  });
});
