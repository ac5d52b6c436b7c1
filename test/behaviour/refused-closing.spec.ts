import { describe, expect, it } from '@jest/globals';

import { freshName } from '../support/fresh-name.js';
import { keyed } from '../support/keyed-messages.js';
import { KeyedRuns } from '../support/keyed-runs.js';
import {
  evenlyShared,
  gate,
  keyOfEach,
  partitionKey,
  partitionOwners,
  startMember,
} from '../support/partition-apps.js';
import { logged } from '../support/recorded-log.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { REFUSED_MODES, twoStreams } from '../support/refusals.js';
import { closeAppsAfterEach } from '../support/streams-app.js';
import { timeWithoutStalls } from '../support/time-without-stalls.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests({ args: [] });
closeAppsAfterEach();

describe.each(Object.keys(REFUSED_MODES))('an app whose stream is refused, %s', (mode) => {
  it('closes at once', async () => {
    const [bad, good] = [freshName('bad'), freshName('good')];
    const { pattern } = REFUSED_MODES[mode]!;
    if (pattern !== undefined) await redis.client.xadd(bad, '*', 'name', bad, 'body', '0');
    const { wait, open } = gate();
    const { app, keys, emit, handled } = await twoStreams(
      redis.url,
      REFUSED_MODES[mode]!,
      bad,
      good,
      { shutdown: { drainTimeoutMs: 10_000 } },
      (n) => (n === 1 ? wait : undefined),
    );
    await waitFor(() => app.server.consumer?.streams.includes(bad));
    for (const n of [1, 2, 3]) await emit(bad, n);
    await waitFor(() => app.server.inFlight === 1);
    await redis.client.set(keys.attempts, 'x');
    await redis.client.set(keys.retries, 'x');
    open();
    await waitFor(() => handled[bad]?.includes(1));
    await waitFor(() => logged('error', bad).some((line) => line.includes('set aside')));
    expect(await timeWithoutStalls(app.close())).toBeLessThan(2_000);
  });
});

describe('partitions in which nothing can be recorded', () => {
  it('go to another member', async () => {
    const stream = freshName('orders');
    const runs = new KeyedRuns();
    const first = await startMember(redis.url, stream, 2, runs);
    await waitFor(async () => {
      const owners = await partitionOwners(redis, stream, 2);
      return owners.every((owner) => owner === first.server.options.consumer);
    });
    for (const n of [0, 1]) {
      await redis.client.set(partitionKey(`{${stream}:${n}}`, 'attempts'), 'x');
    }
    for (const key of keyOfEach(2)) await first.emit(stream, keyed(key, { key, n: 1 }));
    await waitFor(
      () => logged('error', stream).filter((line) => line.includes('set aside')).length === 2,
    );
    const second = await startMember(redis.url, stream, 2, runs);
    const owners = await evenlyShared(redis, stream, 2);
    expect(owners).toContain(second.server.options.consumer);
    for (const n of [0, 1]) await redis.client.del(partitionKey(`{${stream}:${n}}`, 'attempts'));
    await waitFor(() => keyOfEach(2).every((key) => runs.of(key).length === 1));
  }, 30_000);
});
