import { describe, expect, it } from '@jest/globals';
import type { Type } from '@nestjs/common';

import { RedisStreamsRecordBuilder } from '../../lib/index.js';
import { freshName, freshPrefix } from '../support/fresh-name.js';
import { addEntries, groupState, pendingEntries } from '../support/group-state.js';
import { timeWithoutStalls } from '../support/time-without-stalls.js';
import { logged } from '../support/recorded-log.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach, handlerOf, type StreamsApp } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';
import { wildcardsAppOf } from '../support/wildcards-app.js';

// A separate server, because some tests count the commands sent to Redis.
const redis = redisForTests({ args: [] });
closeAppsAfterEach();

const GROUP = 'billing';

const start = wildcardsAppOf(redis, GROUP);

const saying = (pattern: string, got: string[]): Type =>
  handlerOf(pattern, (data, context) => got.push(`${context.getStream()} ${data}`));

const add = (stream: string, ...bodies: unknown[]): Promise<string[]> =>
  addEntries(redis.client, stream, bodies);
const besides = (stream: string, what: string): string =>
  `stream:{${stream}}:group:${GROUP}:${what}`;
const WILDCARDS = `stream:group:${GROUP}:wildcards`;

/** How often `command` was executed so far, alone or in a script. */
async function calls(command: string): Promise<number> {
  const stats = await redis.client.info('commandstats');
  return Number(new RegExp(`^cmdstat_${command}:calls=(\\d+)`, 'm').exec(stats)?.[1] ?? 0);
}

/** Resolves when a scan for streams that began after now has ended. */
async function afterALook(app: StreamsApp, keyPrefix: string, wildcard: string): Promise<void> {
  for (let n = 0; n < 2; n++) {
    const name = wildcard.replace('*', freshName('look'));
    await redis.client.xgroup('CREATE', keyPrefix + name, GROUP, '$', 'MKSTREAM');
    await waitFor(() => app.monitor.getStats().streams.includes(name));
  }
}

describe('where a stream is read from', () => {
  it('is where startFrom says, for streams that exist when the group first asks', async () => {
    const prefix = freshPrefix();
    const [first = '', second = ''] = await add(`${prefix}orders.eu`, 1, 2, 3);
    expect(second > first).toBe(true);
    const latest: string[] = [];
    const all: string[] = [];
    const since: string[] = [];
    const controllers = (got: string[]): Type[] => [saying('orders.*', got)];
    const apps = [
      await start(prefix, controllers(latest), { group: 'latest' }),
      await start(prefix, controllers(all), { group: 'all', startFrom: 'beginning' }),
      await start(prefix, controllers(since), {
        group: 'since',
        startFrom: first as `${number}-${number}`,
      }),
    ];
    await add(`${prefix}orders.eu`, 4);
    await waitFor(() => latest.length > 0 && all.length === 4 && since.length === 3);
    expect(latest).toEqual(['orders.eu 4']);
    expect(since).toEqual(['orders.eu 2', 'orders.eu 3', 'orders.eu 4']);
    await Promise.all(apps.map((app) => app.close()));
  });

  it('is the beginning, for one that appeared while no member of the group ran', async () => {
    const prefix = freshPrefix();
    const got: string[] = [];
    await add(`${prefix}orders.eu`, 'old');
    await (await start(prefix, [saying('orders.*', got)])).close();
    await add(`${prefix}orders.us`, 1, 2);
    await redis.client.xadd(`${prefix}orders.old-ids`, '1-1', 'name', 'x', 'body', '1');
    await add(`${prefix}orders.eu`, 3);
    await start(prefix, [saying('orders.*', got)]);
    await waitFor(() => got.length === 4);
    expect(got.sort()).toEqual(['orders.eu 3', 'orders.old-ids 1', 'orders.us 1', 'orders.us 2']);
  });

  it('is the same for one that a handler names only now, and that a wildcard has matched before', async () => {
    const prefix = freshPrefix();
    const got: string[] = [];
    await (await start(prefix, [saying('orders.*', got)])).close();
    await add(`${prefix}orders.us`, 1);
    await start(prefix, [saying('orders.us', got), saying('orders.*', [])]);
    await waitFor(() => got.length === 1);
  });

  it('is the time of the first start, if that was interrupted before all had their groups', async () => {
    const prefix = freshPrefix();
    const got: string[] = [];
    await add(`${prefix}orders.eu`, 'old');
    const [seconds, micros] = (await redis.client.time()).map(Number);
    const since = Number(seconds) * 1000 + Math.floor(Number(micros) / 1000) + 1;
    await redis.client.hset(WILDCARDS, `${prefix}orders.*`, since);
    await waitFor(async () => Number((await add(`${prefix}clock`, 0))[0]?.split('-')[0]) > since);
    await add(`${prefix}orders.eu`, 'new');
    await add(`${prefix}orders.us`, 'new');
    await start(prefix, [saying('orders.*', got)]);
    await waitFor(() => got.length === 2);
    expect(got.sort()).toEqual(['orders.eu new', 'orders.us new']);
    expect(await redis.client.hget(WILDCARDS, `${prefix}orders.*`)).toBe('0');
  });

  it('is known again if all of Redis was emptied', async () => {
    const prefix = freshPrefix();
    const got: string[] = [];
    const app = await start(prefix, [saying('orders.*', got)]);
    await redis.client.del(WILDCARDS);
    await waitFor(() => redis.client.exists(WILDCARDS));
    await app.close();
    await add(`${prefix}orders.eu`, 1);
    await start(prefix, [saying('orders.*', got)]);
    await waitFor(() => got.length === 1);
  });
});

describe('a stream that was found and is gone', () => {
  it('is not created again, causes no commands, and holds up no other', async () => {
    const prefix = freshPrefix();
    const got: string[] = [];
    const app = await start(prefix, [saying('orders.*', got)]);
    const [eu, us] = [`${prefix}orders.eu`, `${prefix}orders.us`];
    await add(eu, 1);
    await add(us, 1);
    await waitFor(() => got.length === 2);
    await redis.client.del(eu);
    await waitFor(() => !app.monitor.getStats().streams.includes('orders.eu'));
    await afterALook(app, prefix, 'orders.*');
    const [scripts, reads] = [await calls('evalsha'), await calls('xreadgroup')];
    await add(us, 2);
    await waitFor(() => got.length === 3);
    await afterALook(app, prefix, 'orders.*');
    expect(await redis.client.exists(eu)).toBe(0);
    // Within these two scans; a loop without a pause makes thousands.
    expect((await calls('evalsha')) - scripts).toBeLessThan(200);
    expect((await calls('xreadgroup')) - reads).toBeLessThan(50);
    expect(logged('warn', 'Stream "orders.eu" is gone').length).toBeGreaterThan(0);
    expect(app.server.subscriptions().map(({ stream }) => stream)).not.toContain('orders.eu');
  });

  it('causes no commands either if it vanished while it was found or caught up with', async () => {
    const prefix = freshPrefix();
    const got: string[] = [];
    const app = await start(prefix, [saying('orders.*', got)], {
      batchSize: 1,
      recovery: { intervalMs: 100 },
    });
    await add(`${prefix}orders.us`, 'x');
    for (let n = 0; n < 10; n++) {
      await add(`${prefix}orders.${n}`, 1, 2, 3, 4, 5);
      await waitFor(() => got.includes(`orders.${n} 1`));
      await redis.client.del(`${prefix}orders.${n}`);
    }
    await waitFor(() => app.monitor.getStats().subscriptions === 1);
    const [reads, unblocks] = [await calls('xreadgroup'), await calls('client\\|unblock')];
    await afterALook(app, prefix, 'orders.*');
    expect((await calls('xreadgroup')) - reads).toBeLessThan(20);
    expect((await calls('client\\|unblock')) - unblocks).toBeLessThan(20);
    expect(logged('error', 'unhandled')).toEqual([]);
  });

  it('is read from its beginning when it exists again, also with lower entry IDs', async () => {
    const prefix = freshPrefix();
    const got: string[] = [];
    const app = await start(prefix, [saying('orders.*', got)], { blockMs: 100 });
    const eu = `${prefix}orders.eu`;
    await redis.client.xadd(eu, '5-5', 'name', 'x', 'body', '1');
    await waitFor(() => got.length === 1);
    for (const n of [2, 3]) {
      await redis.client.del(eu);
      await waitFor(() => !app.monitor.getStats().streams.includes('orders.eu'));
      await redis.client.xadd(eu, `1-${n}`, 'name', 'x', 'body', String(n * 10));
      await redis.client.xadd(eu, `7-${n}`, 'name', 'x', 'body', String(n * 10 + 1));
      await waitFor(() => got.length === 2 * n - 1);
    }
    expect(got.map((line) => line.split(' ')[1])).toEqual(['1', '20', '21', '30', '31']);
  });

  it('and created again at once loses nothing that was published since', async () => {
    const prefix = freshPrefix();
    const got: string[] = [];
    await start(prefix, [saying('orders.*', got)]);
    const eu = `${prefix}orders.eu`;
    await add(eu, 0);
    await waitFor(() => got.length === 1);
    for (let n = 1; n <= 10; n++) {
      await redis.client.del(eu);
      await add(eu, n);
      await waitFor(() => got.includes(`orders.eu ${n}`));
    }
    expect(got).toHaveLength(11);
  });

  it('keeps its ledger for its window, and permanently when it exists again', async () => {
    const prefix = freshPrefix();
    const got: string[] = [];
    const app = await start(prefix, [saying('orders.*', got)], {
      blockMs: 100,
      publishDedup: false,
    });
    const eu = `${prefix}orders.eu`;
    const record = (data: string) =>
      new RedisStreamsRecordBuilder(data).setMessageId('order-1').build();
    await app.emit('orders.eu', record('first'));
    await waitFor(() => app.monitor.getStats().counts.handled === 1);
    const ledger = besides(eu, 'processed');
    await waitFor(() => redis.client.exists(ledger));
    await redis.client.del(eu);
    await waitFor(async () => (await redis.client.pttl(ledger)) > 604_800_000);
    expect(await redis.client.exists(besides(eu, 'position'))).toBe(0);
    await app.emit('orders.eu', record('again'));
    await waitFor(() => app.monitor.getStats().counts.duplicate === 1);
    expect(await redis.client.pttl(ledger)).toBe(-1);
    expect(got).toEqual(['orders.eu first']);
  });

  it('lets running handlers finish, and what is published meanwhile is handled after them', async () => {
    const prefix = freshPrefix();
    const got: string[] = [];
    let release = (): void => undefined;
    const app = await start(
      prefix,
      [
        handlerOf('orders.*', async (data) => {
          got.push(`begun ${data}`);
          if (data === 1) await new Promise<void>((resolve) => (release = resolve));
          got.push(`ended ${data}`);
        }),
      ],
      { blockMs: 100, batchSize: 1 },
    );
    const [eu, us] = [`${prefix}orders.eu`, `${prefix}orders.us`];
    await add(us, 'x');
    await add(eu, 1);
    await waitFor(() => got.includes('begun 1'));
    await redis.client.del(eu);
    await afterALook(app, prefix, 'orders.*');
    await add(eu, 2);
    await afterALook(app, prefix, 'orders.*');
    release();
    await waitFor(() => got.includes('ended 2'));
    expect(got.filter((line) => /\d/.test(line))).toEqual([
      'begun 1',
      'ended 1',
      'begun 2',
      'ended 2',
    ]);
    await waitFor(async () => (await groupState(redis.client, eu, GROUP))?.pending === 0);
  });

  it('may come back as another type, and the others are read', async () => {
    const prefix = freshPrefix();
    const got: string[] = [];
    await start(prefix, [saying('orders.*', got)], { blockMs: 100 });
    const [eu, us] = [`${prefix}orders.eu`, `${prefix}orders.us`];
    await add(eu, 1);
    await add(us, 1);
    await waitFor(() => got.length === 2);
    await redis.client.multi().del(eu).set(eu, 'text').exec();
    await add(us, 2);
    await waitFor(() => got.length === 3);
    await add(us, 3);
    await waitFor(() => got.length === 4);
    expect(await redis.client.get(eu)).toBe('text');
  });

  it('is the only one that is not created: that of a handler that names it is', async () => {
    const prefix = freshPrefix();
    const got: string[] = [];
    await start(prefix, [saying('orders.*', got), saying('orders.eu', [])], { blockMs: 100 });
    const eu = `${prefix}orders.eu`;
    expect(await redis.client.exists(eu)).toBe(1);
    await redis.client.del(eu);
    await waitFor(() => redis.client.exists(eu));
    await add(eu, 1);
    await waitFor(() => got.length === 1);
  });
});

describe('members and their ends', () => {
  it('a starting member takes over what a dead member had read of a found stream', async () => {
    const prefix = freshPrefix();
    const got: string[] = [];
    const eu = `${prefix}orders.eu`;
    await add(eu, 1, 2);
    await redis.client.xgroup('CREATE', eu, GROUP, '0');
    await redis.client.xreadgroup('GROUP', GROUP, 'dead', 'STREAMS', eu, '>');
    await waitFor(async () => {
      const idle = await redis.client.xpending(eu, GROUP, 'IDLE', 1_000, '-', '+', 9);
      return idle.length === 2;
    });
    await start(prefix, [saying('orders.*', got)], {
      recovery: { minIdleMs: 1_000, intervalMs: 60_000 },
    });
    await waitFor(() => got.length === 2);
    await waitFor(async () => (await pendingEntries(redis.client, eu, GROUP)).length === 0);
  });

  it('members share a found stream, and nothing is handled twice', async () => {
    const prefix = freshPrefix();
    const got: string[][] = [[], []];
    const apps = await Promise.all(
      got.map((each) => start(prefix, [saying('orders.*', each)], { batchSize: 1 })),
    );
    const bodies = Array.from({ length: 200 }, (_, n) => n);
    await add(`${prefix}orders.eu`, ...bodies);
    await waitFor(() => got.flat().length >= 200);
    expect(new Set(got.flat()).size).toBe(200);
    expect(got.flat()).toHaveLength(200);
    await Promise.all(apps.map((app) => app.close()));
  });

  it('continues after its connections were cut', async () => {
    const prefix = freshPrefix();
    const got: string[] = [];
    await start(prefix, [saying('orders.*', got)]);
    await add(`${prefix}orders.eu`, 1);
    await waitFor(() => got.length === 1);
    await redis.client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await add(`${prefix}orders.eu`, 2);
    await add(`${prefix}orders.us`, 2);
    await waitFor(() => got.length === 3);
  });

  it('closes soon during a scan of many keys, and what was read goes back to the group', async () => {
    const prefix = freshPrefix();
    const pipeline = redis.client.pipeline();
    for (let n = 0; n < 20_000; n++) pipeline.set(`${prefix}other.${n}`, '');
    for (let n = 0; n < 300; n++)
      pipeline.xadd(`${prefix}orders.${n}`, '*', 'name', 'x', 'body', '1');
    await pipeline.exec();
    const got: string[] = [];
    const app = await start(prefix, [saying('orders.*', got)], {
      startFrom: 'beginning',
      discoveryIntervalMs: 100,
    });
    await waitFor(() => got.length > 0);
    expect(await timeWithoutStalls(app.close())).toBeLessThan(1_000);
    const other: string[] = [];
    await start(prefix, [saying('orders.*', other)], { startFrom: 'beginning' });
    await waitFor(() => got.length + other.length >= 300);
    expect(new Set([...got, ...other]).size).toBe(300);
  });

  it('without permission to scan logs that, and reads named streams; without permission for one, reads the others', async () => {
    const prefix = freshPrefix();
    const got: string[] = [];
    const user = freshName('user');
    const rights = ['on', '>secret', '+@all', '-scan', `~*${prefix}*`, '~stream:group:*', '&*'];
    await redis.client.call('ACL', 'SETUSER', user, ...rights);
    const url = new URL(redis.url);
    Object.assign(url, { username: user, password: 'secret' });
    await start(prefix, [saying('orders.*', got), saying('orders.eu', [])], {
      connection: String(url),
    });
    await add(`${prefix}orders.eu`, 1);
    await add(`${prefix}orders.us`, 1);
    await waitFor(() => got.length === 1);
    expect(logged('warn', 'Looking for streams that wildcards match failed: NOPERM')).toHaveLength(
      1,
    );
    await redis.client.call('ACL', 'SETUSER', user, '+scan', 'resetkeys', `~*${prefix}orders.us*`);
    await redis.client.call('ACL', 'SETUSER', user, `~*${prefix}orders.eu*`, '~stream:group:*');
    await add(`${prefix}orders.not-yours`, 1);
    await waitFor(() => got.length === 2);
    expect(got).toEqual(['orders.eu 1', 'orders.us 1']);
    await waitFor(() => logged('error', 'Stream "orders.not-yours" is not read').length === 1);
  });

  it('without wildcards nobody scans the keys', async () => {
    const prefix = freshPrefix();
    const got: string[] = [];
    const before = await calls('scan');
    await start(prefix, [saying('orders', got)], { discoveryIntervalMs: 100, blockMs: 100 });
    await add(`${prefix}orders`, 1);
    await waitFor(() => got.length === 1);
    const reads = await calls('xreadgroup');
    await waitFor(async () => (await calls('xreadgroup')) > reads + 5);
    expect(await calls('scan')).toBe(before);
    expect(await redis.client.hexists(WILDCARDS, `${prefix}orders`)).toBe(0);
  });
});
