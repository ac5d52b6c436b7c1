import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { MessagePattern } from '@nestjs/microservices';
import { Redis } from 'ioredis';
import { firstValueFrom, type Observable, of, toArray } from 'rxjs';

import {
  ClientRedisStreams,
  DeadLetters,
  IdleConsumersJob,
  importLedger,
  LedgerMaintenanceJob,
  RedisStreamsRecordBuilder,
  RetentionJob,
} from '../../lib/index.js';
import { startRedis, type StartedRedis } from '../../lib/testing/index.js';
import { documentedRules } from '../support/documented-rules.js';
import { isCaughtUp } from '../support/group-state.js';
import { ownRedis } from '../support/own-redis.js';
import { logged } from '../support/recorded-log.js';
import { closeAppsAfterEach, handlerOf, streamsApp } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const withOwn = (await ownRedis()) === 'none' ? describe.skip : describe;
const hasSelectors = await knowsSelectors();
const [STREAM, GROUP] = ['orders', 'billing'];
const clients = new Set<ClientRedisStreams | DeadLetters>();
closeAppsAfterEach();

let server: StartedRedis;
let look: Redis;

beforeEach(async () => {
  // ioredis logs there that it may not send INFO.
  jest.spyOn(console, 'warn').mockImplementation(() => undefined);
  server = await startRedis({ args: [] });
  look = new Redis(server.url);
});
afterEach(async () => {
  jest.restoreAllMocks();
  await Promise.all([...clients].map((client) => client.onApplicationShutdown()));
  clients.clear();
  look.disconnect();
  await server.stop();
});

/** A user whose rules are in parentheses, which Redis 6.2 does not know. */
const CAREFUL = 'careful-producer';

/** Redis 6.2 cannot have the careful one. */
const PRODUCERS = ['producer', CAREFUL].filter((user) => hasSelectors || user !== CAREFUL);

/** Whether Redis knows rules in parentheses: since 7.0. */
async function knowsSelectors(): Promise<boolean> {
  const redis = await startRedis();
  const client = new Redis(redis.url);
  try {
    return await client.call('ACL', 'DRYRUN', 'default', 'PING').then(
      () => true,
      () => false,
    );
  } finally {
    client.disconnect();
    await redis.stop();
  }
}

/** The users exactly as in docs/security.md; or only with the first rule of each, without what is optional. */
async function makeUsers({ onlyFirst = false } = {}): Promise<void> {
  const all = (await documentedRules()).filter(({ user }) => hasSelectors || user !== CAREFUL);
  const some = all.filter(({ rules }) => !onlyFirst || rules.includes('>secret'));
  expect(some.length).toBeGreaterThan(3);
  for (const { user, rules } of some) {
    expect(await look.call('ACL', 'SETUSER', user, ...rules)).toBe('OK');
  }
}

const as = (user: string): string => server.url.replace('//', `//${user}:secret@`);
const without = (user: string, ...rules: string[]): Promise<unknown> =>
  look.call('ACL', 'SETUSER', user, ...rules);

function clientAs(user: string, publishDedup?: false): ClientRedisStreams {
  const client = new ClientRedisStreams({
    connection: as(user),
    inbox: user,
    ...(publishDedup === undefined ? {} : { publishDedup }),
    // Neither is possible without the right to destroy the stream.
    streams:
      user === CAREFUL ? {} : { [STREAM]: { maxLength: 10_000, ttlMs: 3_600_000, force: true } },
  });
  clients.add(client);
  return client;
}

function operator(): DeadLetters {
  const deadLetters = new DeadLetters({ connection: as('operator'), group: GROUP });
  clients.add(deadLetters);
  return deadLetters;
}

const publish = (client: ClientRedisStreams, data: object, id?: string) => {
  const record = new RedisStreamsRecordBuilder(data);
  if (id !== undefined) record.setMessageId(id);
  return firstValueFrom(client.emit(STREAM, record.build()));
};

/** What Redis refused to whom: `consumer info`. */
async function refused(): Promise<string[]> {
  const log = (await look.call('ACL', 'LOG', '128')) as unknown[][];
  const field = (row: unknown[], name: string): unknown => row[row.indexOf(name) + 1];
  return log.map((row) => `${field(row, 'username')} ${field(row, 'object')}`.toLowerCase()).sort();
}

async function consuming(delivery: 'at-least-once' | 'at-most-once', runs: unknown[]) {
  return streamsApp(
    {
      connection: as('consumer'),
      group: GROUP,
      delivery,
      blockMs: 300,
      recovery: { minIdleMs: 1_000, intervalMs: 100 },
      retry: { maxAttempts: 2, backoff: { type: 'fixed', delayMs: 10 } },
      streams: { [STREAM]: { retention: { maxAgeMs: 1, maxLength: 1 } } },
      maintenance: { consumerIdleMs: 6_000 },
      deadLetter: { maxLength: 1_000 },
    },
    {
      controllers: [
        handlerOf<{ fails?: boolean; waits?: boolean }>(STREAM, async (data) => {
          runs.push(data);
          if (data.fails === true) throw new Error('no');
        }),
      ],
    },
  );
}

/** Nobody needs these: servers and ioredis try them, and continue without an answer. */
const MAY_BE_REFUSED =
  /^\S+ (info|command|config|role|client\|setinfo|stream:delayed-streams|hscan)/;

withOwn('the rules of docs/security.md are enough', () => {
  it('for everything that producers, consumers, jobs and operators do', async () => {
    await makeUsers();
    const runs: unknown[] = [];
    const app = await consuming('at-least-once', runs);
    const once = clientAs('producer');
    expect(await publish(once, { n: 1 }, 'a')).toMatchObject({ duplicate: false });
    expect(await publish(once, { n: 1 }, 'a')).toMatchObject({ duplicate: true });
    await publish(clientAs('plain-producer', false), { n: 2 });
    await publish(once, { fails: true }, 'b');
    const deadLetters = operator();
    const [letter] = await waitFor(async () => {
      const page = await deadLetters.list({ stream: STREAM });
      return page.length === 1 && page;
    });
    expect(letter).toMatchObject({ messageId: 'b', attempts: 2 });
    expect(await deadLetters.redrive({ stream: STREAM })).toEqual({ redriven: 1 });
    await waitFor(() => runs.length === 6);
    // It fails again, and is then another dead letter.
    const again = await waitFor(async () => {
      const [only, more] = await deadLetters.list({ stream: STREAM });
      return more === undefined && only?.id !== letter?.id && only;
    });
    expect(await deadLetters.get({ stream: STREAM, id: again.id })).toMatchObject({
      messageId: 'b',
    });
    await waitFor(async () => (await look.hlen(`stream:{${STREAM}}:group:${GROUP}:leases`)) === 0);
    expect(await deadLetters.purge({ stream: STREAM })).toEqual({ purged: 1 });
    // What a dead member left, and the group created again after it vanished.
    await look.xgroup('DESTROY', STREAM, GROUP);
    await publish(once, { n: 3 });
    await waitFor(() => runs.length === 7);
    for (const job of [LedgerMaintenanceJob, RetentionJob, IdleConsumersJob]) {
      const { removed } = await app.app.get<{ run(): Promise<{ removed: number }> }>(job).run();
      expect(removed).toBeGreaterThanOrEqual(0);
    }
    await waitFor(() => isCaughtUp(look, STREAM, GROUP));
    const { streams } = await app.monitor.inspect();
    expect(streams).toMatchObject([{ stream: STREAM, exists: true, groupExists: true }]);
    await app.close();
    expect((await refused()).filter((row) => !MAY_BE_REFUSED.test(row))).toEqual([]);
  });

  it.each(PRODUCERS)(
    'for delayed messages, and for requests and their replies: %s',
    async (user) => {
      await makeUsers();
      @Controller()
      class Orders {
        @MessagePattern<string>(STREAM)
        total({ n }: { n: number }): Observable<number> {
          return of(n, n + 1);
        }
      }
      const app = await streamsApp(
        { connection: as('consumer'), group: GROUP, startFrom: 'beginning', blockMs: 300 },
        { controllers: [Orders] },
      );
      const client = clientAs(user);
      expect(await firstValueFrom(client.send(STREAM, { n: 1 }).pipe(toArray()))).toEqual([1, 2]);
      const later = (id: string, delayMs: number): Promise<unknown> =>
        firstValueFrom(
          client.emit(
            STREAM,
            new RedisStreamsRecordBuilder({ n: 2 }).setMessageId(id).setDelayMs(delayMs).build(),
          ),
        );
      await later('soon', 0);
      await later('never', 3_600_000);
      expect(await client.cancel(STREAM, 'never')).toBe(true);
      await waitFor(async () => (await look.xlen(STREAM)) === 2);
      await waitFor(() => isCaughtUp(look, STREAM, GROUP));
      expect(await look.exists('stream:delayed-streams')).toBe(0);
      for (const duplicate of [false, true]) {
        expect(await publish(client, { n: 1 }, 'a')).toMatchObject({ duplicate });
      }
      await client.close();
      await app.close();
      expect((await refused()).filter((row) => !MAY_BE_REFUSED.test(row))).toEqual([]);
    },
  );

  it('to take over the ledger of another program', async () => {
    await makeUsers();
    await look.zadd(
      `stream:${STREAM}:group:${GROUP}:processed`,
      Date.now(),
      '1-1',
      Date.now(),
      'a',
    );
    await look.xadd(STREAM, '1-1', 'name', 'n', 'body', '1', 'id', 'b');
    const taken = { connection: as('operator'), stream: STREAM, group: GROUP };
    expect(await importLedger(taken)).toEqual({ imported: 2, known: 0, outside: 0 });
    expect(await look.zrange(`stream:{${STREAM}}:group:${GROUP}:processed`, 0, '-1')).toEqual(
      expect.arrayContaining(['a', 'b']),
    );
    expect((await refused()).filter((row) => !MAY_BE_REFUSED.test(row))).toEqual([]);
  });

  it('for partitions', async () => {
    await makeUsers();
    const runs: { key: string; n: number }[] = [];
    const streams = { [STREAM]: { partitions: 4 } };
    const app = await streamsApp(
      {
        connection: as('consumer'),
        group: GROUP,
        blockMs: 300,
        startFrom: 'beginning',
        retry: { maxAttempts: 2, backoff: { type: 'fixed', delayMs: 10 } },
        streams,
      },
      {
        controllers: [
          handlerOf<{ key: string; n: number }>(STREAM, (data) => {
            runs.push(data);
            if (data.n === 0) throw new Error('no');
          }),
        ],
      },
    );
    const client = new ClientRedisStreams({ connection: as('producer'), streams });
    const deadLetters = new DeadLetters({ connection: as('operator'), group: GROUP, streams });
    clients.add(client).add(deadLetters);
    for (const key of ['a', 'b', 'c', 'd']) {
      for (const n of [0, 1]) {
        const record = new RedisStreamsRecordBuilder({ key, n }).setKey(key).build();
        await firstValueFrom(client.emit(STREAM, record));
      }
    }
    await waitFor(() => runs.length === 12);
    await waitFor(async () => (await deadLetters.count({ stream: STREAM })) === 4);
    expect(await deadLetters.redrive({ stream: STREAM })).toEqual({ redriven: 4 });
    await waitFor(() => runs.length === 20);
    for (const job of [LedgerMaintenanceJob, RetentionJob, IdleConsumersJob]) {
      await app.app.get<{ run(): Promise<unknown> }>(job).run();
    }
    expect((await app.monitor.inspect()).streams[0]?.partitions).toHaveLength(4);
    await app.close();
    expect((await refused()).filter((row) => !MAY_BE_REFUSED.test(row))).toEqual([]);
  });

  it('for wildcards', async () => {
    await makeUsers();
    const runs: unknown[] = [];
    const app = await streamsApp(
      { connection: as('consumer'), group: GROUP, discoveryIntervalMs: 100, blockMs: 300 },
      { controllers: [handlerOf('order*', (data) => void runs.push(data))] },
    );
    await publish(clientAs('producer'), { n: 1 });
    await waitFor(() => runs.length === 1);
    await look.del(STREAM);
    await publish(clientAs('producer'), { n: 2 });
    await waitFor(() => runs.length === 2);
    await app.close();
    expect((await refused()).filter((row) => !MAY_BE_REFUSED.test(row))).toEqual([]);
  });

  it('at most once, too, and to take over what a dead member has read', async () => {
    await makeUsers();
    const runs: unknown[] = [];
    const app = await consuming('at-most-once', runs);
    const once = clientAs('producer');
    await publish(once, { n: 1 });
    await publish(once, { fails: true });
    await waitFor(() => runs.length === 2);
    await waitFor(() => isCaughtUp(look, STREAM, GROUP));
    await app.close();
    await publish(once, { n: 3 });
    await look.xreadgroup('GROUP', GROUP, 'dead', 'COUNT', 1, 'STREAMS', STREAM, '>');
    const next = await consuming('at-least-once', runs);
    await waitFor(() => runs.length === 3);
    await waitFor(() => isCaughtUp(look, STREAM, GROUP));
    await next.close();
    expect((await refused()).filter((row) => !MAY_BE_REFUSED.test(row))).toEqual([]);
  });
});

withOwn('the users of docs/security.md', () => {
  /** Whether a user may run a command, which is run. */
  async function may(user: string, ...[command = '', ...args]: string[]): Promise<boolean> {
    const client = new Redis(as(user), { enableReadyCheck: false });
    try {
      await client.call(command, ...args);
      return true;
    } catch (error) {
      if (!/NOPERM|can't (access|run)/.test(String(error))) throw error;
      return false;
    } finally {
      client.disconnect();
    }
  }

  /** Keys that no user has a right to, and what each of them may do with its own keys. */
  const FOREIGN = [
    'others',
    'stream:{others}:published',
    'stream:{others}:delayed',
    'stream:{others}:group:billing:dead-letters',
    `stream:{${STREAM}}:group:shipping:dead-letters`,
    'stream:delayed-streams',
  ];
  const HITS: Record<string, (key: string) => string[]> = {
    'plain-producer': (key) => ['XADD', key, '*', 'a', 'b'],
    producer: (key) => ['XADD', key, '*', 'a', 'b'],
    [CAREFUL]: (key) => ['XADD', key, '*', 'a', 'b'],
    consumer: (key) => ['XADD', key, '*', 'a', 'b'],
    operator: (key) => ['XDEL', key, '1-1'],
  };
  const ledgerOf = (group: string): string => `stream:{${STREAM}}:group:${group}:processed`;
  /** What a user cannot do with all its rules. */
  const CANNOT: Record<string, string[][]> = {
    'plain-producer': [
      ['DEL', STREAM],
      ['XTRIM', STREAM, 'MAXLEN', '0'],
      ['XRANGE', STREAM, '-', '+'],
      ['XREAD', 'STREAMS', STREAM, '0'],
      ['EVAL', 'return 1', '0'],
    ],
    producer: [
      ['XRANGE', STREAM, '-', '+'],
      ['XGROUP', 'DESTROY', STREAM, GROUP],
      ['XADD', ledgerOf(GROUP), '*', 'a', 'b'],
      ['XREAD', 'STREAMS', 'stream:replies:{web.1}', '0'],
      ['XADD', 'stream:replies:{web.1}', '*', 'a', 'b'],
    ],
    [CAREFUL]: [
      ['PEXPIRE', STREAM, '1'],
      ['DEL', STREAM],
      ['SET', STREAM, 'x'],
      ['XTRIM', STREAM, 'MAXLEN', '0'],
      ['XREAD', 'STREAMS', STREAM, '0'],
      ['XREAD', 'STREAMS', 'stream:replies:{web.1}', '0'],
      ['XADD', 'stream:replies:{web.1}', '*', 'a', 'b'],
      ['EVAL', `redis.call('DEL', KEYS[1])`, '1', STREAM],
    ],
    consumer: [
      ['XGROUP', 'DESTROY', STREAM, GROUP],
      ['ZADD', ledgerOf('shipping'), '1', 'a'],
      ['HDEL', 'stream:delayed-streams', STREAM],
      ['XREAD', 'STREAMS', STREAM, '0'],
    ],
    operator: [
      ['XADD', STREAM, '*', 'a', 'b'],
      ['DEL', STREAM],
      ['XTRIM', STREAM, 'MAXLEN', '0'],
      ['XGROUP', 'DESTROY', STREAM, GROUP],
      ['ZADD', ledgerOf('shipping'), '1', 'a'],
      ['DEL', `stream:${STREAM}:group:${GROUP}:processed`],
    ],
  };
  /** Nobody may do that. */
  const NOBODY_CAN = [
    ['FLUSHALL'],
    ['KEYS', '*'],
    ['CONFIG', 'SET', 'maxmemory', '1'],
    ['ACL', 'SETUSER', 'eve'],
    ['RENAME', STREAM, STREAM],
    ['SHUTDOWN', 'NOSAVE'],
  ];

  it('are those that this test knows', async () => {
    const users = new Set((await documentedRules()).map(({ user }) => user));
    expect([...users].sort()).toEqual(Object.keys(CANNOT).sort());
    expect([...users].sort()).toEqual(Object.keys(HITS).sort());
  });

  it('cannot touch other streams, other groups, other inboxes, or the shared list', async () => {
    await makeUsers();
    for (const user of Object.keys(HITS)) {
      if (user === CAREFUL && !hasSelectors) continue;
      const keys = user === 'consumer' ? FOREIGN : [...FOREIGN, 'stream:replies:{web.1}'];
      const commands = keys.map((key) => HITS[user]!(key));
      for (const command of [...commands, ...CANNOT[user]!, ...NOBODY_CAN]) {
        expect([user, command, await may(user, ...command)]).toEqual([user, command, false]);
      }
    }
    expect(await look.keys('*')).toEqual([]);
  });

  it('can do to their stream what the page says, and a plain producer no more than add to it', async () => {
    await makeUsers({ onlyFirst: true });
    for (const command of [
      ['PEXPIRE', STREAM, '1'],
      ['DEL', STREAM],
      ['UNLINK', STREAM],
      ['XTRIM', STREAM, 'MAXLEN', '0'],
      ['XRANGE', STREAM, '-', '+'],
      ['XREAD', 'STREAMS', STREAM, '0'],
      ['XGROUP', 'DESTROY', STREAM, GROUP],
      ['EVAL', 'return 1', '0'],
      ['SET', STREAM, 'x'],
      ['RENAME', STREAM, STREAM],
      ['FLUSHALL'],
    ]) {
      expect([command, await may('plain-producer', ...command)]).toEqual([command, false]);
    }
    // The rules that are left are enough to publish.
    for (const [user, publishDedup] of [
      ['producer', undefined],
      ['plain-producer', false],
    ] as const) {
      const client = new ClientRedisStreams({
        connection: as(user),
        ...(publishDedup === undefined ? {} : { publishDedup }),
      });
      clients.add(client);
      await publish(client, { n: 1 }, 'a');
      expect(await publish(client, { n: 1 }, 'a')).toMatchObject({
        duplicate: user === 'producer',
      });
    }
    expect(await may('plain-producer', 'XADD', STREAM, 'MAXLEN', '0', '*', 'a', 'b')).toBe(true);
    expect(await look.xlen(STREAM)).toBe(0);
    expect(await may('producer', 'XREAD', 'STREAMS', STREAM, '0')).toBe(false);
    expect(await may('producer', 'XGROUP', 'DESTROY', STREAM, GROUP)).toBe(false);
    expect(await may('consumer', 'XGROUP', 'DESTROY', STREAM, GROUP)).toBe(false);
    expect(await may('producer', 'DEL', STREAM)).toBe(false);
    for (const command of [
      ['PEXPIRE', STREAM, '1'],
      ['SET', STREAM, 'x'],
    ]) {
      expect([command, await may('producer', ...command)]).toEqual([command, true]);
    }
  });
});

withOwn('a missing permission is named', () => {
  const failure = (client: ClientRedisStreams): Promise<unknown> =>
    publish(client, { n: 1 }).catch((error: unknown) => error);

  it('to the publisher: the command, or the key', async () => {
    await makeUsers();
    await without('producer', '-zadd');
    expect(String(await failure(clientAs('producer')))).toMatch(/no right to (.*, )?ZADD/);
    await without('producer', '+zadd', 'resetkeys', '~orders');
    expect(String(await failure(clientAs('producer')))).toContain(
      `no right to the key stream:{${STREAM}}:published`,
    );
    await without('plain-producer', 'resetkeys', '~others');
    expect(String(await failure(clientAs('plain-producer', false)))).toContain(
      `no right to the key ${STREAM}`,
    );
    await without('plain-producer', '-xadd');
    expect(String(await failure(clientAs('plain-producer', false)))).toMatch(/'xadd' command/);
  });

  it('to the consumer: at start, and in the log as long as it is missing', async () => {
    await makeUsers();
    await without('consumer', '-xgroup|create');
    const runs: unknown[] = [];
    await expect(consuming('at-least-once', runs)).rejects.toThrow(/no right to XGROUP\|CREATE/);
    await without('consumer', '+xgroup|create');
    await consuming('at-least-once', runs);
    await without('consumer', '-xack');
    const client = clientAs('producer');
    await publish(client, { n: 1 });
    await waitFor(() => logged('error', 'no right to XACK').length > 0);
    await without('consumer', '+xack', '-xreadgroup');
    await waitFor(() => logged('error', "'xreadgroup' command").length > 0);
    await without('consumer', '+xreadgroup', 'resetkeys', `~stream:{${STREAM}}:*`);
    await waitFor(() => logged('error', `no right to the key ${STREAM}`).length > 0);
    await without('consumer', `~${STREAM}`);
    await publish(client, { n: 2 });
    await waitFor(() => isCaughtUp(look, STREAM, GROUP));
    expect(runs).toContainEqual({ n: 2 });
  });

  it('to an operator', async () => {
    await makeUsers();
    const deadLetters = operator();
    await without('operator', 'resetkeys', '~orders');
    await expect(deadLetters.list({ stream: STREAM })).rejects.toThrow(
      /no right to the key .*dead-letters/,
    );
  });
});
