/**
 * Junk in every key that this package keeps, of the right type and of others: members, jobs, the monitor and `nest-streams` go on or
 * say a clear error, nothing spins, and no message is lost. See CONTRIBUTING.md for the long form.
 */
import { setTimeout as delay } from 'node:timers/promises';

import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';

import {
  IdleConsumersJob,
  LedgerMaintenanceJob,
  RedisStreamsRecordBuilder,
  RetentionJob,
} from '../../lib/index.js';
import { partitionName } from '../../lib/wire/partitions.js';
import { DELAYED_STREAMS_KEY, streamKeys, wildcardsKey } from '../../lib/wire/stream-keys.js';
import { commandLineForTests } from '../support/command-line-for-tests.js';
import { freshName } from '../support/fresh-name.js';
import { groupState } from '../support/group-state.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { commandsSoFar, REFUSED_MODES, type RefusedMode } from '../support/refusals.js';
import {
  closeAppsAfterEach,
  handlerOf,
  type StreamsApp,
  streamsApp,
} from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';
import { anyJunk, type Junk, writeJunk } from './any-rows.js';
import { fuzz, FUZZ_TIMEOUT_MS, isLong } from './fuzz-runs.js';
import { OWN_KEYS } from './own-keys.js';

const redis = redisForTests({ args: [] });
const nestStreams = commandLineForTests(redis);
closeAppsAfterEach();

const GROUP = 'billing';
const KINDS = Object.keys(OWN_KEYS);
const MODES: Record<string, RefusedMode> = {
  ...REFUSED_MODES,
  'waiting for retries': { subscription: { retry: { blocking: true } } },
};
/** A member of so many streams sends about 250 a second here while it is idle; a loop that spins sends thousands. */
const MOST_COMMANDS_EACH_SECOND = 1_500;

const anyCase = fc.record({
  junk: fc.tuple(...KINDS.map((kind) => anyJunk(OWN_KEYS[kind]!.type))),
  shared: fc.tuple(anyJunk('hash'), anyJunk('hash')),
  shown: fc.nat(KINDS.length - 1),
});
interface Case {
  readonly junk: Junk[];
  readonly shared: [Junk, Junk];
  /** Which of the streams the command line inspects. */
  readonly shown: number;
}

interface Target {
  readonly kind: string;
  readonly stream: string;
  /** The stream in Redis. */
  readonly place: string;
  readonly key: string;
}

async function isQuiet(): Promise<boolean> {
  const [before, since] = [await commandsSoFar(redis.client), performance.now()];
  await delay(1_000);
  const seconds = (performance.now() - since) / 1_000;
  return ((await commandsSoFar(redis.client)) - before) / seconds < MOST_COMMANDS_EACH_SECOND;
}

/** It may be refused, by an error that says why. */
async function worksOrSaysWhy<Result>(work: Promise<Result>): Promise<Result | undefined> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof Error && error.message !== '' && !(error instanceof TypeError))
      return undefined;
    throw error;
  }
}

/** The numbers in the dead letters of a stream. */
async function deadNumbers({ place }: Target): Promise<number[]> {
  const { deadLetters } = streamKeys('', place, GROUP);
  if ((await redis.client.type(deadLetters)) !== 'stream') return [];
  const letters = await redis.client.xrange(deadLetters, '-', '+');
  return letters.map(([, fields]) => Number(fields[fields.indexOf('body') + 1]));
}

describe.each(Object.entries(MODES))('junk in every key, %s', (_, mode) => {
  const { subscription = {}, partitions, pattern = (stream) => stream } = mode;
  const start = (
    streams: readonly string[],
    handled: Map<string, Set<number>>,
  ): Promise<StreamsApp> =>
    streamsApp(
      {
        connection: redis.url,
        group: GROUP,
        startFrom: 'beginning',
        blockMs: 300,
        discoveryIntervalMs: 200,
        recovery: { minIdleMs: 1_500, intervalMs: 300 },
        retry: { maxAttempts: 2, backoff: { type: 'fixed', delayMs: 1, jitter: 0 } },
        ...(partitions === undefined
          ? {}
          : { streams: Object.fromEntries(streams.map((stream) => [stream, { partitions }])) }),
      },
      {
        controllers: streams.map((stream) =>
          handlerOf<number>(pattern(stream), (n) => void handled.get(stream)?.add(n), subscription),
        ),
      },
    );

  async function tryCase({ junk, shared, shown }: Case): Promise<void> {
    const good = freshName('good');
    const targets = KINDS.map((kind): Target => {
      const stream = freshName(kind.replaceAll(' ', '-'));
      const place = partitions === undefined ? stream : partitionName(stream, 0);
      return { kind, stream, place, key: OWN_KEYS[kind]!.key(stream, place, GROUP) };
    });
    const streams = [good, ...targets.map(({ stream }) => stream)];
    const handled = new Map(streams.map((stream) => [stream, new Set<number>()]));
    const has = (stream: string, n: number): boolean => handled.get(stream)?.has(n) === true;
    const accepted = new Map<string, number[]>(streams.map((stream) => [stream, []]));
    const direct = async ({ stream, place }: Pick<Target, 'stream' | 'place'>, n: number) => {
      await redis.client.xadd(place, '*', 'name', stream, 'body', String(n));
      accepted.get(stream)?.push(n);
    };
    const emit = async (app: StreamsApp, stream: string, n: number): Promise<void> => {
      if ((await worksOrSaysWhy(app.emit(stream, n))) !== undefined) accepted.get(stream)?.push(n);
    };

    let app = await start(streams, handled);
    await Promise.all(streams.map((stream) => emit(app, stream, 1)));
    await waitFor(() => streams.every((stream) => has(stream, 1)), { description: 'all are read' });

    await Promise.all(targets.map(({ key }, at) => writeJunk(redis.client, key, junk[at]!)));
    await writeJunk(redis.client, DELAYED_STREAMS_KEY, shared[0]);
    await writeJunk(redis.client, wildcardsKey(GROUP), shared[1]);
    await Promise.all([...targets.map((target) => direct(target, 2)), emit(app, good, 2)]);
    await Promise.all(targets.map(({ stream }) => emit(app, stream, 3)));
    await waitFor(() => has(good, 2), { description: 'the good one is read' });

    for (const job of [LedgerMaintenanceJob, RetentionJob, IdleConsumersJob]) {
      await worksOrSaysWhy(app.app.get<{ run(): Promise<unknown> }>(job).run());
    }
    await worksOrSaysWhy(app.monitor.inspect());
    await waitFor(isQuiet, { description: 'nothing spins' });
    const delayed = new RedisStreamsRecordBuilder(5).setDelayMs(1).build();
    await app.emit(good, delayed);
    await waitFor(() => has(good, 5), { description: 'the delayed one is read' });
    await emit(app, good, 3);
    await waitFor(() => has(good, 3), { description: 'the good one is still read' });
    await commandLineGoesOn(targets[shown]!);

    // Another member finds the same junk.
    await app.close();
    await direct(
      { stream: good, place: partitions === undefined ? good : partitionName(good, 0) },
      4,
    );
    await Promise.all(targets.map((target) => direct(target, 4)));
    const restarted = await worksOrSaysWhy(start(streams, handled));
    if (restarted !== undefined) {
      await waitFor(() => has(good, 4), { description: 'the good one is read after a restart' });
      await restarted.close();
    }
    // Whoever removes the junk has lost nothing.
    await Promise.all(targets.map((target, at) => removeJunk(target, junk[at]!)));
    await redis.client.del(DELAYED_STREAMS_KEY, wildcardsKey(GROUP));
    app = await start(streams, handled);
    for (const target of targets) {
      await waitFor(
        async () => {
          const dead = await deadNumbers(target);
          return accepted
            .get(target.stream)
            ?.every((n) => has(target.stream, n) || dead.includes(n));
        },
        {
          description: `all of ${target.stream} are handled or dead letters: ${accepted.get(target.stream)?.join()}, handled ${[...(handled.get(target.stream) ?? [])].join()}`,
        },
      );
      await waitFor(
        async () => (await groupState(redis.client, target.place, GROUP))?.pending === 0,
        { description: `${target.stream} has nothing pending` },
      );
    }
    await app.close();
    await redis.client.flushall();
  }

  async function removeJunk({ kind, key }: Target, { type }: Junk): Promise<void> {
    // Dead letters are among the junk.
    if (kind !== 'dead letters' || type !== 'stream') await redis.client.del(key);
  }

  async function commandLineGoesOn({ stream }: Target): Promise<void> {
    const calls = [['overview'], ['doctor', stream], ['ledger', 'size', stream, GROUP]];
    calls.push(['dead-letters', 'list', stream, GROUP]);
    for (const command of ['pending', 'retries', 'consumers']) calls.push([command, stream, GROUP]);
    // In CI there is time for two.
    for (const args of isLong ? calls : calls.slice(0, 2)) {
      const { code, stderr } = await nestStreams.run(args);
      const isCrash = stderr.includes('    at ') || ![0, 1, 3].includes(code ?? -1);
      expect([args, isCrash, stderr]).toEqual([args, false, stderr]);
    }
  }

  it(
    'harms no other stream, and loses nothing',
    async () => {
      await fuzz(
        fc.asyncProperty(anyCase, (each) => tryCase(each as Case)),
        { short: 1, isSlow: true },
      );
      expect(await redis.client.dbsize()).toBe(0);
    },
    FUZZ_TIMEOUT_MS,
  );
});
