import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';

import { DeadLetters } from '../../lib/index.js';
import { childProgram, type ChildProgram, endChildPrograms } from '../support/child-program.js';
import { compiledPackage, type CompiledPackage } from '../support/compiled-package.js';
import { freshName } from '../support/fresh-name.js';
import { addEntries, isCaughtUp, pendingEntries } from '../support/group-state.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach, handlerOf, streamsApp } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const GROUP = 'billing';
const LEASE_MS = 1_000;

const redis = redisForTests();
closeAppsAfterEach();
let compiled: CompiledPackage;
beforeAll(async () => {
  compiled = await compiledPackage('test/support/programs');
});
afterEach(endChildPrograms);

describe('kill -9', () => {
  it('of a consumer before it commits loses nothing: another member has its messages after a lease', async () => {
    const stream = freshName('orders');
    const ids = await addEntries(redis.client, stream, [{ n: 1 }, { n: 2 }]);
    const program = childProgram(
      compiled.program('test/support/programs/killed-consumer.program.ts'),
      { env: { REDIS_URL: redis.url, STREAM: stream, LEASE_MS: String(LEASE_MS) } },
    );
    await waitFor(() => program.output().includes(`running ${ids[0] ?? ''}`));
    await waitFor(async () => (await pendingEntries(redis.client, stream, GROUP)).length === 2);
    program.kill('SIGKILL');
    expect(await program.ended).toBe('SIGKILL');

    const got: { data: unknown; attempt: number }[] = [];
    await streamsApp(
      { connection: redis.url, group: GROUP, recovery: { minIdleMs: LEASE_MS, intervalMs: 100 } },
      {
        controllers: [
          handlerOf(stream, (data, context) => {
            got.push({ data, attempt: context.getAttempt() });
          }),
        ],
      },
    );
    await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
    expect(got.map(({ data }) => data)).toEqual([{ n: 1 }, { n: 2 }]);
    // The interrupted run counts.
    expect(got[0]?.attempt).toBe(2);
    expect(await redis.client.zcard(`stream:{${stream}}:group:${GROUP}:processed`)).toBe(2);
  });

  it.each(['on', 'off'])(
    'of a consumer that redrives at most once loses what was running, and nothing that it had only read ahead (dedup %s)',
    async (DEDUP) => {
      const stream = freshName('orders');
      const options = {
        connection: redis.url,
        group: GROUP,
        startFrom: 'beginning',
        delivery: 'at-most-once',
        recovery: { minIdleMs: LEASE_MS, intervalMs: 100 },
        dedup: DEDUP === 'off' ? false : { windowMs: 60_000 },
      } as const;
      const failing = await streamsApp(options, {
        controllers: [
          handlerOf(stream, () => {
            throw new Error('not now');
          }),
        ],
      });
      const ids = await addEntries(
        redis.client,
        stream,
        Array.from({ length: 5 }, (_, n) => ({ n })),
      );
      const deadLetters = new DeadLetters({ connection: redis.url, group: GROUP });
      await waitFor(async () => (await deadLetters.count({ stream })) === 5);
      await failing.close();

      const program = childProgram(
        compiled.program('test/support/programs/killed-consumer.program.ts'),
        {
          env: {
            REDIS_URL: redis.url,
            STREAM: stream,
            LEASE_MS: String(LEASE_MS),
            AT_MOST_ONCE: '1',
            DEDUP,
          },
        },
      );
      expect(await deadLetters.redrive({ stream })).toEqual({ redriven: 5 });
      await waitFor(() => program.output().includes(`running ${ids[0] ?? ''}`), {
        timeoutMs: 15_000,
      });
      const leases = `stream:{${stream}}:group:${GROUP}:leases`;
      // The one that ran has no dead letter; the other was read ahead.
      await waitFor(async () => (await redis.client.hlen(leases)) >= 1);
      program.kill('SIGKILL');
      await program.ended;
      expect(await deadLetters.count({ stream })).toBe(4);

      const got: unknown[] = [];
      await streamsApp(options, {
        controllers: [
          handlerOf<{ n: number }>(stream, ({ n }, context) => {
            got.push([n, context.getAttempt()]);
          }),
        ],
      });
      await waitFor(async () => (await deadLetters.count({ stream })) === 0, {
        timeoutMs: 10_000,
      });
      deadLetters.close();
      await waitFor(() => got.length === 4);
      expect(got.sort()).toEqual([1, 2, 3, 4].map((n) => [n, 1]));
    },
    240_000,
  );

  it.each([
    ['on', 'handler'],
    ['off', 'handler'],
    ['on', 'schema'],
  ])(
    'by a message that kills it each time: that one becomes a dead letter, its neighbours are handled (dedup %s, in its %s)',
    async (dedup, killedBy) => {
      const stream = freshName('orders');
      const poison = 3;
      const ids = await addEntries(
        redis.client,
        stream,
        Array.from({ length: 10 }, (_, n) => ({ n, poison: n === poison })),
      );
      const deadLetters = `stream:{${stream}}:group:${GROUP}:dead-letters`;
      const run = (): ChildProgram =>
        childProgram(compiled.program('test/support/programs/poisoned-consumer.program.ts'), {
          env: {
            REDIS_URL: redis.url,
            STREAM: stream,
            LEASE_MS: String(LEASE_MS),
            DEDUP: dedup,
            KILLED_BY: killedBy,
          },
        });
      const handled: string[] = [];
      let crashes = 0;
      for (let is = run(); ;) {
        const died = is.ended.then(() => true as const);
        const settled = waitFor(() => isCaughtUp(redis.client, stream, GROUP));
        const hasDied = (await Promise.race([died, settled.catch(() => false)])) === true;
        if (!hasDied || (await isCaughtUp(redis.client, stream, GROUP))) {
          is.kill('SIGKILL');
          await is.ended;
        } else crashes++;
        handled.push(...(is.output().match(/handled \d+/g) ?? []));
        if (await isCaughtUp(redis.client, stream, GROUP)) break;
        is = run();
      }
      // Twice together with others, of which the first is charged; and once alone.
      expect(crashes).toBe(3);
      expect(new Set(handled).size).toBe(9);
      const [letter, ...others] = await redis.client.xrange(deadLetters, '-', '+');
      expect(others).toEqual([]);
      expect(letter?.[1]).toEqual(expect.arrayContaining(['dead-letter-entry-id', ids[poison]]));
    },
  );

  it('of a consumer that runs a redrive leaves it to another member after a lease', async () => {
    const stream = freshName('orders');
    const keyOf = (what: string): string => `stream:{${stream}}:group:${GROUP}:${what}`;
    const deadLetters = new DeadLetters({ connection: redis.url, group: GROUP });
    await redis.client.xadd(
      keyOf('dead-letters'),
      '*',
      'name',
      stream,
      'body',
      '{"n":1}',
      'dead-letter-reason',
      'failed 5 time(s)',
      'dead-letter-entry-id',
      '7-7',
    );
    await deadLetters.redrive({ stream });
    const program = childProgram(
      compiled.program('test/support/programs/killed-consumer.program.ts'),
      { env: { REDIS_URL: redis.url, STREAM: stream, LEASE_MS: String(LEASE_MS) } },
    );
    await waitFor(() => program.output().includes('running 7-7'));
    program.kill('SIGKILL');
    expect(await program.ended).toBe('SIGKILL');
    expect(await deadLetters.count({ stream })).toBe(1);

    const got: { data: unknown; entryId: string; attempt: number }[] = [];
    await streamsApp(
      { connection: redis.url, group: GROUP, recovery: { minIdleMs: LEASE_MS, intervalMs: 100 } },
      {
        controllers: [
          handlerOf(stream, (data, context) => {
            got.push({ data, entryId: context.getEntryId(), attempt: context.getAttempt() });
          }),
        ],
      },
    );
    await waitFor(async () => (await deadLetters.count({ stream })) === 0);
    // The interrupted run counts.
    expect(got).toEqual([{ data: { n: 1 }, entryId: '7-7', attempt: 2 }]);
    expect(await redis.client.zscore(keyOf('processed'), '7-7')).not.toBeNull();
    const left = ['retries', 'leases', 'attempts'].map(keyOf);
    expect(await redis.client.exists(...left)).toBe(0);
    deadLetters.close();
  });
});
