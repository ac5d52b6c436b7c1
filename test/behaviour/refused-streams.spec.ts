import { setTimeout as delay } from 'node:timers/promises';

import { describe, expect, it } from '@jest/globals';

import { partitionName } from '../../lib/wire/partitions.js';
import { streamKeys } from '../../lib/wire/stream-keys.js';
import { freshName } from '../support/fresh-name.js';
import { isCaughtUp } from '../support/group-state.js';
import { logged } from '../support/recorded-log.js';
import { redisForTests } from '../support/redis-for-tests.js';
import {
  commandsSoFar,
  GROUP,
  REFUSED_MODES,
  type TwoStreams,
  twoStreams,
} from '../support/refusals.js';
import { closeAppsAfterEach, handlerOf, streamsApp } from '../support/streams-app.js';
import { timeWithoutStalls } from '../support/time-without-stalls.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests({ args: [] });
closeAppsAfterEach();

/** Nothing here takes longer, even on a busy machine. */
const SOON = { timeoutMs: 20_000 };
const MODES = Object.keys(REFUSED_MODES);
/** A busy member of two streams sends some thirty commands a second. */
const MOST_A_SECOND = 250;

async function start(mode: string): Promise<TwoStreams> {
  const names = [freshName('bad'), freshName('good')] as const;
  const { pattern } = REFUSED_MODES[mode] ?? {};
  if (pattern !== undefined)
    await Promise.all(names.map((name) => redis.client.xadd(name, '*', 'name', name, 'body', '0')));
  const two = await twoStreams(redis.url, REFUSED_MODES[mode] ?? {}, ...names);
  for (const stream of names) await two.emit(stream, 1);
  await waitFor(() => names.every((stream) => two.handled[stream]?.includes(1)));
  return two;
}

/** The good stream is as fast as ever, and nothing is asked again and again. */
async function expectGoodIsFast(two: TwoStreams): Promise<void> {
  const { good, handled, emit } = two;
  const before = await commandsSoFar(redis.client);
  const since = performance.now();
  const oneByOne = async (): Promise<void> => {
    for (let n = 100; n < 120; n++) {
      await emit(good, n);
      await waitFor(() => handled[good]?.includes(n), { pollMs: 1 });
    }
  };
  expect(await timeWithoutStalls(oneByOne())).toBeLessThan(1_000);
  const tookMs = performance.now() - since;
  await delay(Math.max(0, 500 - tookMs));
  const commands = (await commandsSoFar(redis.client)) - before;
  expect((commands - 20 * 4) / Math.max(0.5, tookMs / 1_000)).toBeLessThan(MOST_A_SECOND);
}

async function expectReported(bad: string, ...parts: string[]): Promise<void> {
  const lines = await waitFor(() => {
    const found = logged('error', bad).filter((line) => line.includes('set aside'));
    return found.length > 0 && found;
  }, SOON);
  expect(lines).toHaveLength(1);
  for (const part of parts) expect(lines[0]).toContain(part);
}

/** That the bad stream works again is said once. */
async function expectWorksAgain(two: TwoStreams): Promise<void> {
  const { bad } = two;
  await waitFor(() => logged('log', bad).some((line) => line.includes('works again')));
  expect(logged('error', bad).filter((line) => line.includes('set aside'))).toHaveLength(1);
}

describe.each(MODES)('a stream whose key has another type, %s', (mode) => {
  it('is set aside and reported once, holds up no other stream, and is read again later', async () => {
    const two = await start(mode);
    await redis.client.set(two.keys.stream, 'x');
    // To a wildcard, a key of another type is no stream, like one that is gone.
    const isGone = REFUSED_MODES[mode]?.pattern !== undefined;
    if (isGone) await waitFor(() => logged('warn', two.bad).some((line) => line.includes('gone')));
    else await expectReported(two.bad, two.keys.stream, 'string');
    await expectGoodIsFast(two);
    await redis.client.del(two.keys.stream);
    await two.emit(two.bad, 2);
    await waitFor(() => two.handled[two.bad]?.includes(2));
    if (!isGone) await expectWorksAgain(two);
    await two.app.close();
  });
});

/** What can be wrong with a key beside the stream, and what becomes of the stream. */
const WRONG: Record<
  string,
  { readonly name: keyof TwoStreams['keys']; readonly isLeftOut: boolean }
> = {
  'retries of another type': { name: 'retries', isLeftOut: true },
  'leases of another type': { name: 'leases', isLeftOut: true },
  'a ledger of another type': { name: 'ledger', isLeftOut: true },
  'attempts of another type': { name: 'attempts', isLeftOut: true },
  'members of another type': { name: 'members', isLeftOut: false },
  'a position of another type': { name: 'position', isLeftOut: false },
};

describe.each(MODES)('a stream with a wrong key, %s', (mode) => {
  it.each(Object.keys(WRONG))('holds up no other: %s', async (what) => {
    const { name, isLeftOut: mayBe } = WRONG[what]!;
    const hasNone = REFUSED_MODES[mode]?.subscription?.dedup === false;
    const isLeftOut = mayBe && !(hasNone && (name === 'leases' || name === 'ledger'));
    const two = await start(mode);
    const key = two.keys[name];
    await redis.client.del(key);
    if (name === 'position' || name === 'members') await redis.client.lpush(key, 'x');
    else await redis.client.set(key, 'x');
    await two.emit(two.bad, 2);
    if (isLeftOut) await expectReported(two.bad, key, 'string');
    await expectGoodIsFast(two);
    if (isLeftOut) await redis.client.del(key);
    await waitFor(() => two.handled[two.bad]?.includes(2));
    await waitFor(() => isCaughtUp(redis.client, two.keys.stream, GROUP));
    expect(two.handled[two.bad]?.filter((n) => n !== 0)).toEqual([1, 2]);
    if (isLeftOut) await expectWorksAgain(two);
    await two.app.close();
  });
});

describe('what is due in several streams at once', () => {
  it('is not taken in vain if the retries of one of them are refused', async () => {
    const [first, second] = [freshName('first'), freshName('second')];
    const keys = streamKeys('', second, GROUP);
    let runs = 0;
    const two = await twoStreams(redis.url, {}, first, second, {}, async (data) => {
      if (data !== 7 || ++runs > 1) return;
      // Both are asked about in one call from now on.
      await redis.client.set(keys.retries, 'x');
      throw new Error('no');
    });
    await two.emit(first, 7);
    await waitFor(() => two.handled[first]?.includes(7));
    expect(runs).toBe(2);
    await redis.client.del(keys.retries);
  });
});

it('a partition whose leases have another type when a member starts is set aside, and the others are read', async () => {
  const stream = freshName('orders');
  const [bad, good] = [partitionName(stream, 0), partitionName(stream, 1)];
  const { leases } = streamKeys('', bad, GROUP);
  await redis.client.set(leases, 'x');
  for (const name of [bad, good]) {
    await redis.client.xadd(name, '*', 'name', stream, 'key', 'k', 'body', JSON.stringify(name));
  }
  const got: unknown[] = [];
  await streamsApp(
    {
      connection: redis.url,
      group: GROUP,
      startFrom: 'beginning',
      streams: { [stream]: { partitions: 2 } },
    },
    { controllers: [handlerOf(stream, (name) => void got.push(name))] },
  );
  await waitFor(() => got.length === 1);
  await expectReported(bad, leases, 'string');
  await redis.client.del(leases);
  await waitFor(() => got.length === 2);
  expect(got).toEqual([good, bad]);
});
