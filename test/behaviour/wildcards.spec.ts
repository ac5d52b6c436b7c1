import { describe, expect, it } from '@jest/globals';
import type { Type } from '@nestjs/common';

import {
  DeadLetters,
  InvalidOptionsError,
  LedgerMaintenanceJob,
  type StreamPattern,
  type SubscriptionOptions,
} from '../../lib/index.js';
import { freshName, freshPrefix } from '../support/fresh-name.js';
import { addEntries, groupState } from '../support/group-state.js';
import { logged } from '../support/recorded-log.js';
import { timeWithoutStalls } from '../support/time-without-stalls.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach, handlerOf } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';
import { INTERVAL_MS, wildcardsAppOf } from '../support/wildcards-app.js';

const redis = redisForTests();
closeAppsAfterEach();

const GROUP = 'billing';
/** The interval, and what a machine that is busy with other things may need. */
const SOON_MS = INTERVAL_MS + 500;

const start = wildcardsAppOf(redis, GROUP);

/** A handler that records from which stream it got what. */
const saying = (
  pattern: string | StreamPattern,
  got: string[],
  options?: SubscriptionOptions,
): Type =>
  handlerOf(pattern, (data, context) => got.push(`${context.getStream()} ${data}`), options);

const add = (stream: string, ...bodies: unknown[]): Promise<string[]> =>
  addEntries(redis.client, stream, bodies);
const groupsOf = (stream: string): Promise<unknown> => redis.client.xinfo('GROUPS', stream);

describe('a handler for a wildcard', () => {
  it('gets what is published to existing streams, and the context says to which', async () => {
    const prefix = freshPrefix();
    const got: string[] = [];
    await add(`${prefix}orders.eu`, 'before');
    await add(`${prefix}orders.us`, 'before');
    const app = await start(prefix, [saying('orders.*', got)]);
    await app.emit('orders.eu', 'a');
    await app.emit('orders.us', 'b');
    await waitFor(() => got.length === 2);
    expect(got.sort()).toEqual(['orders.eu a', 'orders.us b']);
  });

  it('gets all of a stream that appears later, from its first entry on, within the interval', async () => {
    const prefix = freshPrefix();
    const got: string[] = [];
    const app = await start(prefix, [saying('orders.*', got)], { blockMs: 60_000 });
    await add(`${prefix}orders.eu`, 1, 2, 3);
    expect(await timeWithoutStalls(waitFor(() => got.length === 3))).toBeLessThan(SOON_MS);
    expect(got).toEqual(['orders.eu 1', 'orders.eu 2', 'orders.eu 3']);
    // Once found, it is read like any other, and the blocked read covers it.
    await add(`${prefix}orders.us`, 1);
    await waitFor(() => got.length === 4);
    for (const n of [4, 5]) {
      await app.emit('orders.eu', n);
      const arrived = waitFor(() => got.includes(`orders.eu ${n}`));
      expect(await timeWithoutStalls(arrived)).toBeLessThan(INTERVAL_MS);
    }
  });

  it('gets all of a later one even if its entries have custom IDs', async () => {
    const prefix = freshPrefix();
    const got: string[] = [];
    await start(prefix, [saying('orders.*', got)]);
    await redis.client.xadd(`${prefix}orders.eu`, '1-1', 'name', 'x', 'body', '1');
    await waitFor(() => got.length === 1);
  });

  it('gets only matching streams, and no other character is a wildcard', async () => {
    const prefix = `${freshPrefix()}[a]?\\*`;
    const got: string[] = [];
    const app = await start(prefix, [saying('orders.[e]?*.v1', got)]);
    const others = ['orders.e?x.v1', 'orders.ex.v1', 'orders.[e]x.v1', 'orders.[e]?.v2'];
    for (const stream of others) await app.emit(stream, 'no');
    await app.emit('orders.[e]?.v1', 'yes');
    await app.emit('orders.[e]?.eu.v1', 'yes');
    await waitFor(() => got.length === 2);
    await waitFor(() => app.server.subscriptions().length === 2);
    expect(got.sort()).toEqual(['orders.[e]?.eu.v1 yes', 'orders.[e]?.v1 yes']);
    for (const stream of others) expect(await groupsOf(prefix + stream)).toEqual([]);
  });

  it('gets only the streams under its prefix', async () => {
    const prefix = freshPrefix();
    const got: string[] = [];
    const [inside, outside] = [`${prefix}orders.eu`, `other-${prefix}orders.eu`];
    await start(prefix, [saying('*', got)]);
    await add(outside, 'outside');
    await add(inside, 'inside');
    await waitFor(() => got.length === 1);
    expect(got).toEqual(['orders.eu inside']);
    expect(await groupsOf(outside)).toEqual([]);
    await redis.client.del(outside);
  });

  it('can want one name in each stream', async () => {
    const prefix = freshPrefix();
    const got: string[] = [];
    const app = await start(prefix, [
      saying({ stream: 'orders.*', name: 'order.created' }, got),
      handlerOf('orders.*', (data, context) => got.push(`any ${context.getName()} ${data}`)),
    ]);
    await app.emit({ stream: 'orders.eu', name: 'order.created' }, 'a');
    await app.emit({ stream: 'orders.eu', name: 'order.paid' }, 'b');
    await waitFor(() => got.length === 3);
    expect(got).toEqual(['orders.eu a', 'any order.created a', 'any order.paid b']);
  });

  it('does not touch keys that are not streams', async () => {
    const prefix = freshPrefix();
    const got: string[] = [];
    await redis.client.set(`${prefix}orders.text`, 'x');
    await redis.client.rpush(`${prefix}orders.list`, 'x');
    const app = await start(prefix, [saying('orders.*', got)]);
    await app.emit('orders.eu', 1);
    await waitFor(() => got.length === 1);
    expect(app.monitor.getStats().streams).toEqual(['orders.eu']);
    expect(logged('warn', prefix)).toEqual([]);
  });
});

describe('handlers by name and by wildcard', () => {
  it('for one stream share it: each gets the message, in the order of registration, with one outcome', async () => {
    const prefix = freshPrefix();
    const got: string[] = [];
    const failing = handlerOf('*.eu', (_, context) => {
      got.push(`wild ${context.getAttempt()}`);
      if (context.getAttempt() === 1) throw new Error('refused');
    });
    const app = await start(
      prefix,
      [
        handlerOf('orders.*', () => got.push('first')),
        failing,
        handlerOf('orders.eu', () => got.push('named')),
      ],
      { retry: { backoff: { type: 'fixed', delayMs: 0 } } },
    );
    await app.emit('orders.eu', 1);
    await waitFor(() => app.monitor.getStats().counts.handled === 1);
    expect(got).toEqual(['first', 'wild 1', 'named', 'first', 'wild 2', 'named']);
    expect(app.monitor.getStats()).toMatchObject({ streams: ['orders.eu'], subscriptions: 1 });
    expect(await groupsOf(`${prefix}orders.eu`)).toHaveLength(1);
  });

  it('that disagree on an option stop the app from starting', async () => {
    const app = start(freshPrefix(), [
      saying('orders.*', [], { concurrency: 2 }),
      saying('orders.eu', [], { concurrency: 3 }),
    ]);
    await expect(app).rejects.toThrow(InvalidOptionsError);
    await expect(app).rejects.toMatchObject({ path: 'subscription.concurrency' });
  });

  it('have the options of both', async () => {
    const app = await start(freshPrefix(), [
      saying('orders.eu', [], { concurrency: 3 }),
      saying('orders.*', [], { unhandled: 'dead-letter' }),
    ]);
    expect(app.server.subscriptions()).toMatchObject([
      {
        stream: 'orders.eu',
        options: { concurrency: 3, unhandled: 'dead-letter' },
        wildcards: ['orders.*'],
      },
    ]);
  });

  it('leave a stream alone, and log that, if two wildcards that disagree match it; others are read', async () => {
    const prefix = freshPrefix();
    const got: string[] = [];
    const stream = `${freshName('orders')}.eu`;
    const app = await start(prefix, [
      saying('orders*', got, { concurrency: 2 }),
      saying('*.eu', got, { concurrency: 3 }),
    ]);
    await app.emit(stream, 1);
    await app.emit('parcels.eu', 1);
    await waitFor(() => got.length === 1);
    const [logLine] = await waitFor(() => {
      const lines = logged('error', `Stream "${stream}" is not read`);
      return lines.length > 0 && lines;
    });
    expect(logLine).toContain('subscription.concurrency');
    await add(`${prefix}parcels.us.eu`, 2);
    await waitFor(() => got.length === 2);
    expect(await groupsOf(prefix + stream)).toEqual([]);
    expect(logged('error', `Stream "${stream}"`)).toHaveLength(1);
  });
});

describe('a stream that was found', () => {
  it('has retries, dead letters and their redrive, a ledger and its maintenance', async () => {
    const prefix = freshPrefix();
    const got: string[] = [];
    let fails = true;
    const app = await start(
      prefix,
      [
        handlerOf('orders.*', (data, context) => {
          got.push(`${data} ${context.getAttempt()}`);
          if (fails) throw new Error('refused');
        }),
      ],
      {
        retry: { maxAttempts: 2, backoff: { type: 'fixed', delayMs: 0 } },
        dedup: { windowMs: 50 },
      },
    );
    await app.emit('orders.eu', 'a');
    const deadLetters = app.app.get(DeadLetters);
    const [letter] = await waitFor(async () => {
      const letters = await deadLetters.list({ stream: 'orders.eu' });
      return letters.length === 1 && letters;
    });
    expect(letter).toMatchObject({ stream: 'orders.eu', attempts: 2, payload: 'a' });
    fails = false;
    await deadLetters.redrive({ stream: 'orders.eu' });
    await waitFor(async () => (await deadLetters.count({ stream: 'orders.eu' })) === 0);
    expect(got).toEqual(['a 1', 'a 2', 'a 1']);
    expect(app.server.subscriptions()).toMatchObject([{ stream: 'orders.eu' }]);
    await waitFor(async () => (await app.app.get(LedgerMaintenanceJob).run()).removed === 1);
  });

  it('has the options of its own name', async () => {
    const prefix = freshPrefix();
    const got: string[] = [];
    const codec = { encode: () => [], decode: () => ({ name: 'x', payload: 'by its own' }) };
    await start(prefix, [saying('orders.*', got)], { streams: { 'orders.eu': { codec } } });
    await add(`${prefix}orders.eu`, 1);
    await add(`${prefix}orders.us`, 1);
    await waitFor(() => got.length === 2);
    expect(got.sort()).toEqual(['orders.eu by its own', 'orders.us 1']);
  });

  it('is one of a hundred, and each has all of its messages', async () => {
    const prefix = freshPrefix();
    const got: string[] = [];
    const names = Array.from({ length: 100 }, (_, n) => `orders.${n}`);
    await Promise.all(names.slice(0, 50).map((name) => add(prefix + name, 'before')));
    const app = await start(prefix, [saying('orders.*', got, { startFrom: 'beginning' })]);
    await Promise.all(names.map((name) => add(prefix + name, 'first', 'second')));
    await waitFor(() => got.length === 250);
    expect(new Set(got).size).toBe(250);
    expect(app.monitor.getStats().subscriptions).toBe(100);
    const connections = String(await redis.client.client('LIST')).split('\n');
    const own = connections.filter((line) => line.includes(app.server.options.consumer));
    // For commands, for reading, and to hear of new streams.
    expect(own).toHaveLength(3);
  });

  it('is left by a closing member, without a consumer left behind', async () => {
    const prefix = freshPrefix();
    const got: string[] = [];
    const app = await start(prefix, [saying('orders.*', got)]);
    await add(`${prefix}orders.eu`, 1);
    await waitFor(() => got.length === 1);
    await app.close();
    expect(await redis.client.xinfo('CONSUMERS', `${prefix}orders.eu`, GROUP)).toEqual([]);
    expect(await groupState(redis.client, `${prefix}orders.eu`, GROUP)).toMatchObject({
      pending: 0,
    });
  });
});

describe('our own keys', () => {
  it('are never found, even if the wildcard matches everything', async () => {
    const got: string[] = [];
    // Stands for all keys: other files may share this Redis.
    const token = freshName('own');
    const stream = `orders.${token}`;
    const asStream = `stream:${token}`;
    const replies = `stream:replies:${token}`;
    const handler = handlerOf(`*${token}*`, (data, context) => {
      got.push(`${context.getStream()} ${data}`);
      if (data === 'dead') throw new Error('refused');
    });
    const app = await start('', [handler], { retry: { maxAttempts: 1 } });
    await add(stream, 'dead', 'alive');
    await add(asStream, 'alive');
    await add(replies, 'not for you');
    await waitFor(() => got.length === 3);
    const deadLetters = `stream:{${stream}}:group:${GROUP}:dead-letters`;
    await waitFor(() => redis.client.exists(deadLetters));
    // A scan that finds this one began, or continued, when the others existed.
    for (const last of ['last', 'very-last']) {
      await add(`${last}.${token}`, last);
      await waitFor(() => got.includes(`${last}.${token} ${last}`));
    }
    expect(app.monitor.getStats().streams.slice().sort()).toEqual(
      [stream, asStream, `last.${token}`, `very-last.${token}`].sort(),
    );
    expect(await groupsOf(deadLetters)).toEqual([]);
    expect(await groupsOf(replies)).toEqual([]);
  });
});
