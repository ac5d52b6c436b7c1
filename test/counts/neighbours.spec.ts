import { afterEach, describe, expect, it } from '@jest/globals';
import type { Type } from '@nestjs/common';
import { setTimeout as delay } from 'node:timers/promises';

import type { RedisStreamsModuleOptions, SubscriptionOptions } from '../../lib/index.js';
import { freshName } from '../support/fresh-name.js';
import { addEntries, isCaughtUp } from '../support/group-state.js';
import { countedByKind } from '../support/request-kinds.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { type RequestMeter, requestMeter } from '../support/request-meter.js';
import { closeAppsAfterEach, handlerOf, streamsApp } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
closeAppsAfterEach();

const GROUP = 'billing';
const CONCURRENCY = 50;
const BATCHES = 12;
const BATCH = 40;
/** Until a stream has handled something, it is read 2 entries at a time if its handler has `concurrency: 1`. */
const NEIGHBOURS = 8;
const BACKLOG = 2_000;

let meter: RequestMeter | undefined;
afterEach(async () => {
  await meter?.close();
  meter = undefined;
});

const modes: readonly (readonly [string, SubscriptionOptions])[] = [
  ['at-least-once', {}],
  ['at-most-once', { delivery: 'at-most-once' }],
  ['without a ledger', { dedup: false }],
];

const idle = (): Type[] =>
  Array.from({ length: NEIGHBOURS }, () => handlerOf(freshName('idle'), () => undefined));

const count = (kind: string): number => countedByKind(meter?.requests ?? [])[kind] ?? 0;

const unblocks = (): number =>
  (meter?.requests ?? []).filter(({ words }) => words[1]?.toUpperCase() === 'UNBLOCK').length;

const metered = async (): Promise<RedisStreamsModuleOptions> => {
  meter = await requestMeter(redis.url);
  // Commands with long intervals, which would be counted now and then, do not occur.
  return {
    connection: { url: meter.url, healthCheckIntervalMs: false },
    group: GROUP,
    recovery: { intervalMs: 600_000, minIdleMs: 60_000 },
  };
};

describe('a busy stream with neighbours', () => {
  for (const [name, options] of modes) {
    it(`${name}, is read at once after each batch, without ending the read that waits for all`, async () => {
      const stream = freshName('busy');
      let handled = 0;
      const handle = async (): Promise<void> => {
        await delay(5);
        handled++;
      };
      const busy = handlerOf(stream, handle, { concurrency: CONCURRENCY, ...options });
      await streamsApp(await metered(), { controllers: [busy, ...idle()] });
      const publish = async (): Promise<void> => {
        const transaction = redis.client.multi();
        for (let n = 0; n < BATCH; n++) transaction.xadd(stream, '*', 'name', 'n', 'body', '1');
        await transaction.exec();
      };
      // Enough for the server to know how fast the handler is.
      for (let sent = BATCH; sent <= 3 * BATCH; sent += BATCH) {
        await publish();
        await waitFor(() => handled === sent);
      }
      await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
      meter?.reset();
      for (let batch = 1; batch <= BATCHES; batch++) {
        await publish();
        await waitFor(() => handled === (3 + batch) * BATCH);
      }
      // One for the first entries, one for the rest, and the next one that waits.
      expect(count('XREADGROUP')).toBeLessThanOrEqual(4 * BATCHES);
      expect(unblocks()).toBeLessThanOrEqual(BATCHES / 3);
    });

    it(`${name}, needs no more reads for a backlog than alone, if some are idle and some are slow`, async () => {
      const stream = freshName('busy');
      await redis.client.xgroup('CREATE', stream, GROUP, '0', 'MKSTREAM');
      const bodies = Array.from({ length: BACKLOG }, (_, n) => ({ n }));
      await addEntries(redis.client, stream, bodies);
      const slow = freshName('slow');
      await redis.client.xgroup('CREATE', slow, GROUP, '0', 'MKSTREAM');
      await addEntries(redis.client, slow, bodies.slice(0, 1_000));
      let handled = 0;
      const handle = async (): Promise<void> => {
        await delay(5);
        handled++;
      };
      await streamsApp(await metered(), {
        controllers: [
          handlerOf(stream, handle, { concurrency: CONCURRENCY, ...options }),
          handlerOf(slow, () => delay(20), options),
          ...idle(),
        ],
      });
      await waitFor(() => handled === BACKLOG);
      const reads = (meter?.requests ?? []).filter(
        ({ words }) => words[0]?.toUpperCase() === 'XREADGROUP' && words.includes(stream),
      );
      expect(reads.length).toBeLessThanOrEqual(BACKLOG / 25);
      expect(unblocks()).toBeLessThanOrEqual(20);
      expect(meter?.connections).toBe(2);
    });
  }

  it('never holds more than its own handlers and its read-ahead take, however it is read', async () => {
    const stream = freshName('busy');
    const [one, other] = [freshName('stuck'), freshName('stuck')];
    let end: () => void = () => undefined;
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    const app = await streamsApp(await metered(), {
      controllers: [
        handlerOf(stream, () => ended, { concurrency: CONCURRENCY }),
        handlerOf(one, () => ended),
        handlerOf(other, () => ended, { concurrency: 5 }),
      ],
    });
    const bodies = Array.from({ length: 500 }, (_, n) => ({ n }));
    await Promise.all([stream, one, other].map((name) => addEntries(redis.client, name, bodies)));
    const held = async (name: string): Promise<number> =>
      Number((await redis.client.xpending(name, GROUP))[0]);
    // One more than runs, as long as nobody knows how long a handler takes.
    await waitFor(async () => (await held(stream)) === CONCURRENCY + 1);
    await waitFor(async () => (await held(one)) === 2);
    await waitFor(async () => (await held(other)) === 6);
    // Another round of the reader does not add to it.
    const reads = count('due');
    await waitFor(() => count('due') >= reads + 2);
    expect(await held(stream)).toBe(CONCURRENCY + 1);
    expect(await held(one)).toBe(2);
    expect(await held(other)).toBe(6);
    end();
    await app.close();
  });
});
