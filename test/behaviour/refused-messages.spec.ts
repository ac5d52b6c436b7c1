import { setTimeout as delay } from 'node:timers/promises';

import { describe, expect, it } from '@jest/globals';

import {
  type Codec,
  DeadLetterException,
  DeadLetters,
  type DecodedEnvelope,
  type EntryFields,
  type MessageEnvelope,
  type RawFields,
  type SubscriptionOptions,
} from '../../lib/index.js';
import { streamKeys } from '../../lib/wire/stream-keys.js';
import { partitionName } from '../../lib/wire/partitions.js';
import { freshName } from '../support/fresh-name.js';
import { groupState, isCaughtUp } from '../support/group-state.js';
import { logged } from '../support/recorded-log.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { commandsSoFar, GROUP } from '../support/refusals.js';
import {
  closeAppsAfterEach,
  handlerOf,
  type StreamsApp,
  streamsApp,
} from '../support/streams-app.js';
import { timeWithoutStalls } from '../support/time-without-stalls.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests({ args: [] });
closeAppsAfterEach();

interface Mode {
  readonly subscription?: SubscriptionOptions;
  readonly partitions?: number;
}
const MODES: Record<string, Mode> = {
  'by default': {},
  'without a ledger': { subscription: { dedup: false } },
  'at most once': { subscription: { delivery: 'at-most-once' } },
  'at most once without a ledger': { subscription: { delivery: 'at-most-once', dedup: false } },
  'with partitions': { partitions: 1 },
};

/** Reads any entry: its message ID is what `idOf` makes of its number. */
class NumberCodec implements Codec {
  constructor(private readonly idOf: (n: number) => unknown) {}

  encode(_stream: string, { payload }: MessageEnvelope): EntryFields {
    return ['n', String(payload)];
  }

  decode(fields: RawFields): DecodedEnvelope {
    const n = Number(fields[1]);
    return { payload: n, messageId: this.idOf(n) as string };
  }
}

interface Started {
  readonly app: StreamsApp;
  readonly stream: string;
  /** The key of the stream, or of its only partition. */
  readonly key: string;
  readonly runs: number[];
  readonly deadLetters: DeadLetters;
}

async function start(
  mode: string,
  handle: (n: number) => unknown,
  {
    codec,
    stream = freshName('orders'),
    consumer,
  }: { codec?: Codec; stream?: string; consumer?: string } = {},
): Promise<Started> {
  const { subscription, partitions } = MODES[mode] as Mode;
  const runs: number[] = [];
  const of = { ...(partitions && { partitions }), ...(codec && { codec }) };
  const app = await streamsApp(
    {
      connection: redis.url,
      group: GROUP,
      startFrom: 'beginning',
      batchSize: 10,
      recovery: { minIdleMs: 1_000, intervalMs: 200 },
      retry: { maxAttempts: 1 },
      streams: { [stream]: of },
      ...(consumer === undefined ? {} : { consumer }),
    },
    {
      controllers: [
        handlerOf<number>(
          stream,
          (n) => {
            runs.push(n);
            return handle(n);
          },
          subscription,
        ),
      ],
    },
  );
  const key = partitions === undefined ? stream : partitionName(stream, 0);
  return { app, stream, key, runs, deadLetters: app.app.get(DeadLetters) };
}

describe.each(Object.keys(MODES))('a message whose ID Redis refuses, %s', (mode) => {
  it.each([
    ['that Lua cannot read', '\ud800'],
    ['that is no string', 12n],
  ])('is a dead letter, and the others of its batch are handled: an ID %s', async (_, id) => {
    const codec = new NumberCodec((n) => (n % 10 === 5 ? id : `m${n}`));
    const { key, stream, runs, deadLetters } = await start(mode, () => undefined, { codec });
    const pipeline = redis.client.pipeline();
    for (let n = 0; n < 30; n++) pipeline.xadd(key, '*', 'n', n);
    await pipeline.exec();
    // Whether or not a mode looks at message IDs, what cannot be one is no message.
    const isRefused = typeof id !== 'string' || !mode.includes('without a ledger');
    await waitFor(() => isCaughtUp(redis.client, key, GROUP), { timeoutMs: 10_000 });
    expect(runs.length).toBe(isRefused ? 27 : 30);
    expect(await deadLetters.count({ stream })).toBe(isRefused ? 3 : 0);
    expect((await groupState(redis.client, key, GROUP))?.pending).toBe(0);
  });
});

const MANY = 60;
const isOnce = (mode: string): boolean => mode.startsWith('at most once');
const fails = (n: number): void => {
  if (n < MANY) throw new DeadLetterException('no use');
};

async function withoutDeadLetters(
  mode: string,
): Promise<Started & { readonly lettersKey: string }> {
  const started = await start(mode, fails, { consumer: freshName('one') });
  const lettersKey = streamKeys('', started.key, GROUP).deadLetters;
  await redis.client.set(lettersKey, 'x');
  const body = (n: number): string[] => ['name', started.stream, 'body', String(n)];
  const pipeline = redis.client.pipeline();
  for (let n = 0; n <= MANY; n++) pipeline.xadd(started.key, '*', ...body(n));
  await pipeline.exec();
  return { ...started, lettersKey };
}

describe.each(Object.keys(MODES).filter((mode) => !isOnce(mode)))(
  'messages whose dead letters Redis refuses, %s',
  (mode) => {
    it('stay pending, are reported once, and do not stop their group, not even after a restart', async () => {
      const first = await withoutDeadLetters(mode);
      const { key, stream, runs, app, lettersKey } = first;
      await waitFor(() => runs.includes(MANY), { timeoutMs: 10_000 });
      const lines = (): string[] =>
        logged('error', stream).filter((line) => line.includes('Left pending'));
      await waitFor(() => lines().length === MANY);
      await waitFor(async () => (await groupState(redis.client, key, GROUP))?.pending === MANY);
      const before = await commandsSoFar(redis.client);
      await delay(500);
      expect((await commandsSoFar(redis.client)) - before).toBeLessThan(60);
      expect(lines()).toHaveLength(MANY);
      expect(app.monitor.getStats().byStream).toMatchObject([{ leftPending: MANY }]);
      const { consumer } = app.server.options;
      await app.close();
      const next = await start(mode, fails, { stream, consumer });
      await redis.client.xadd(key, '*', 'name', stream, 'body', MANY + 1);
      await waitFor(() => next.runs.includes(MANY + 1), { timeoutMs: 10_000 });
      await next.app.close();
      await redis.client.del(lettersKey);
      const last = await start(mode, fails, { stream, consumer });
      await waitFor(async () => (await last.deadLetters.count({ stream })) === MANY);
      await waitFor(() => isCaughtUp(redis.client, key, GROUP));
      await last.app.close();
    });
  },
);

describe.each(Object.keys(MODES).filter(isOnce))(
  'messages whose dead letters Redis refuses, %s',
  (mode) => {
    it('wait with their stream for their dead letters, since nothing of them is pending', async () => {
      const { stream, key, lettersKey, app, deadLetters } = await withoutDeadLetters(mode);
      await waitFor(() => logged('error', stream).some((line) => line.includes('set aside')));
      await redis.client.del(lettersKey);
      await waitFor(async () => (await deadLetters.count({ stream })) === MANY);
      await waitFor(() => isCaughtUp(redis.client, key, GROUP));
      expect(app.monitor.getStats().counts.lost).toBe(0);
      await app.close();
    });

    it('are reported as lost if the app closes first', async () => {
      const { stream, app, runs } = await withoutDeadLetters(mode);
      await waitFor(() => logged('error', stream).some((line) => line.includes('set aside')));
      expect(await timeWithoutStalls(app.close())).toBeLessThan(2_000);
      const failed = runs.filter((n) => n < MANY).length;
      expect(app.monitor.getStats().counts.lost).toBeGreaterThanOrEqual(failed);
      expect(
        logged('error', stream).filter((line) => line.startsWith('Lost')).length,
      ).toBeGreaterThanOrEqual(failed);
    });
  },
);
