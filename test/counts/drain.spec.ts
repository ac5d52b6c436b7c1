import { afterEach, describe, expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';

import type { SubscriptionOptions } from '../../lib/index.js';
import { freshName } from '../support/fresh-name.js';
import { addEntries, isCaughtUp } from '../support/group-state.js';
import { countedByKind } from '../support/request-kinds.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { type RequestMeter, requestMeter } from '../support/request-meter.js';
import { closeAppsAfterEach, handlerOf, streamsApp } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

// A separate server: commands of others would be counted.
const redis = redisForTests({ args: [] });
closeAppsAfterEach();

const MESSAGES = 10_000;
const GROUP = 'billing';

/** Done by the clock, not for a message: a slow machine does them more often. */
const BY_THE_CLOCK = new Set(['due', 'renew', 'HSCAN', 'PING']);

let meter: RequestMeter | undefined;
afterEach(async () => {
  await meter?.close();
  meter = undefined;
});

/** How often Redis executed a command since its statistics were reset, including in scripts. */
async function commandsIn(client: Redis): Promise<number> {
  const info = await client.info('commandstats');
  const calls = [...info.matchAll(/^cmdstat_\S+?:calls=(\d+)/gm)];
  return calls.reduce((sum, [, count]) => sum + Number(count), 0);
}

/** Handles waiting messages, and returns what that took for each of them. */
async function drained(options: SubscriptionOptions): Promise<Record<string, number>> {
  const stream = freshName('orders');
  const counting = (meter = await requestMeter(redis.url));
  await redis.client.xgroup('CREATE', stream, GROUP, '0', 'MKSTREAM');
  await addEntries(
    redis.client,
    stream,
    Array.from({ length: MESSAGES }, (_, n) => ({ n })),
  );
  await redis.client.config('RESETSTAT');
  let handled = 0;
  await streamsApp(
    { connection: counting.url, group: GROUP },
    { controllers: [handlerOf(stream, () => void handled++, { batchSize: 100, ...options })] },
  );
  await waitFor(() => handled === MESSAGES);
  const commands = await commandsIn(redis.client);
  await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
  const byTheClock = Object.entries(countedByKind(counting.requests))
    .filter(([kind]) => BY_THE_CLOCK.has(kind))
    .reduce((sum, [, count]) => sum + count, 0);
  return {
    requests: (counting.requests.length - byTheClock) / MESSAGES,
    roundTrips: (counting.roundTrips - byTheClock) / MESSAGES,
    commands: commands / MESSAGES,
  };
}

describe('a drain of waiting messages, 100 in a batch', () => {
  const ways: readonly (readonly [string, SubscriptionOptions])[] = [
    ['at-least-once', {}],
    ['at-most-once', { delivery: 'at-most-once' }],
    ['without a ledger', { dedup: false }],
  ];
  for (const [name, options] of ways) {
    it(`${name}, needs at most 0.08 round trips for a message, and no command for each`, async () => {
      const { requests, roundTrips, commands } = await drained(options);
      expect(roundTrips).toBeLessThanOrEqual(0.08);
      // Commands that share a round trip are also work, for both sides.
      expect(requests).toBeLessThanOrEqual(0.08);
      expect(commands).toBeLessThanOrEqual(0.5);
    });
  }

  it('does not check whether others have taken the messages, even if they were published long ago', async () => {
    const stream = freshName('orders');
    const pipeline = redis.client.pipeline();
    for (let n = 1; n <= MESSAGES; n++) {
      pipeline.xadd(stream, `1000000000000-${n}`, 'name', 'order', 'body', `{"n":${n}}`);
    }
    await pipeline.exec();
    await redis.client.xgroup('CREATE', stream, GROUP, '0');
    await redis.client.config('RESETSTAT');
    let handled = 0;
    await streamsApp(
      { connection: redis.url, group: GROUP },
      { controllers: [handlerOf(stream, () => void handled++)] },
    );
    await waitFor(() => handled === MESSAGES);
    const info = await redis.client.info('commandstats');
    const looks = Number(/cmdstat_xpending:calls=(\d+)/.exec(info)?.[1] ?? 0);
    // The first batches, before Redis's clock is known, and one at the start.
    expect(looks).toBeLessThanOrEqual(5);
  });

  it('does not read in smaller pieces because another stream of the server was idle so far', async () => {
    const stream = freshName('orders');
    let handled = 0;
    await streamsApp(
      { connection: redis.url, group: GROUP },
      {
        controllers: [
          handlerOf(stream, () => void handled++),
          handlerOf(freshName('idle'), () => undefined),
        ],
      },
    );
    const publish = (count: number): Promise<unknown> =>
      addEntries(
        redis.client,
        stream,
        Array.from({ length: count }, (_, n) => ({ n })),
      );
    // Enough for the server to know how fast the handler is.
    await publish(300);
    await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
    await redis.client.config('RESETSTAT');
    await publish(MESSAGES);
    await waitFor(() => handled === 300 + MESSAGES);
    const info = await redis.client.info('commandstats');
    const reads = Number(/cmdstat_xreadgroup:calls=(\d+)/.exec(info)?.[1] ?? 0);
    expect(reads).toBeLessThanOrEqual(MESSAGES / 20);
  });
});
