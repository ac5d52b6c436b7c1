import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';

import { partitionName } from '../../lib/wire/partitions.js';
import { freshName } from '../support/fresh-name.js';
import { isCaughtUp } from '../support/group-state.js';
import { ownRedis } from '../support/own-redis.js';
import { gate } from '../support/partition-apps.js';
import { logged } from '../support/recorded-log.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { commandsSoFar, GROUP, REFUSED_MODES, twoStreams } from '../support/refusals.js';
import { closeAppsAfterEach } from '../support/streams-app.js';
import { timeWithoutStalls } from '../support/time-without-stalls.js';
import { waitFor } from '../support/wait-for.js';

const withOwn = (await ownRedis()) === 'none' ? describe.skip : describe;
const redis = redisForTests({ args: [] });
closeAppsAfterEach();
beforeEach(() => {
  jest.spyOn(console, 'warn').mockImplementation(() => undefined);
});
afterEach(() => {
  jest.restoreAllMocks();
});

/** Lets a user do everything, but only with keys that match these patterns. */
const mayUse = (user: string, ...keys: string[]): Promise<unknown> =>
  redis.client.call(
    'ACL',
    'SETUSER',
    user,
    'on',
    '>secret',
    '+@all',
    'resetkeys',
    ...keys.map((key) => `~${key}`),
  );

withOwn.each(Object.keys(REFUSED_MODES))('a right to one stream that is taken away, %s', (mode) => {
  it('stops only that stream, which goes on once the right is given again', async () => {
    const [bad, good, user] = ['bad', 'good', 'user'].map((name) => freshName(name)) as [
      string,
      string,
      string,
    ];
    const { partitions } = REFUSED_MODES[mode]!;
    const keyOf = (stream: string): string =>
      partitions === undefined ? stream : partitionName(stream, 0);
    const add = (stream: string, n: number): Promise<unknown> =>
      redis.client.xadd(keyOf(stream), '*', 'name', stream, 'body', n);
    await mayUse(user, '*');
    await add(bad, 1);
    await add(good, 1);
    const { wait, open } = gate();
    const two = await twoStreams(
      redis.url.replace('//', `//${user}:secret@`),
      REFUSED_MODES[mode]!,
      bad,
      good,
      {},
      (n) => (n === 2 ? wait : undefined),
    );
    const { handled, app } = two;
    await waitFor(() => handled[bad]?.includes(1) && handled[good]?.includes(1));
    await add(bad, 2);
    await waitFor(() => app.server.inFlight === 1);
    await mayUse(user, `*${good}*`, 'stream:delayed-streams', `stream:group:${GROUP}:wildcards`);
    open();
    await waitFor(() => handled[bad]?.includes(2));
    const lines = (): string[] => logged('error', bad).filter((line) => line.includes('set aside'));
    await waitFor(() => lines().length > 0);
    expect(lines()[0]).toContain('no right to');
    await add(bad, 3);
    const before = await commandsSoFar(redis.client);
    const oneByOne = async (): Promise<void> => {
      for (let n = 2; n < 22; n++) {
        await add(good, n);
        await waitFor(() => handled[good]?.includes(n), { pollMs: 1 });
      }
    };
    expect(await timeWithoutStalls(oneByOne())).toBeLessThan(1_500);
    expect((await commandsSoFar(redis.client)) - before).toBeLessThan(500);
    expect(handled[bad]).not.toContain(3);
    await mayUse(user, '*');
    await waitFor(() => handled[bad]?.includes(3));
    await waitFor(() => isCaughtUp(redis.client, keyOf(bad), GROUP));
    expect(handled[bad]).toEqual([1, 2, 3]);
    expect(lines()).toHaveLength(1);
    await app.close();
  }, 20_000);
});
