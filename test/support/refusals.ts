import type { Redis } from 'ioredis';

import type { RedisStreamsModuleOptions, SubscriptionOptions } from '../../lib/index.js';
import { partitionName } from '../../lib/wire/partitions.js';
import { streamKeys, type StreamKeys } from '../../lib/wire/stream-keys.js';
import { handlerOf, type StreamsApp, streamsApp } from './streams-app.js';

export const GROUP = 'billing';

/** A way to read a stream in which a refusal must stay local. */
export interface RefusedMode {
  readonly subscription?: SubscriptionOptions;
  readonly pattern?: (stream: string) => string;
  readonly partitions?: number;
}

export const REFUSED_MODES: Record<string, RefusedMode> = {
  'by default': {},
  'without a ledger': { subscription: { dedup: false } },
  'at most once': { subscription: { delivery: 'at-most-once' } },
  'at most once without a ledger': { subscription: { delivery: 'at-most-once', dedup: false } },
  'with a wildcard': { pattern: (stream) => `${stream}*` },
  'with partitions': { partitions: 1 },
};

/** An app that reads two streams in the same mode, and what it has handled of each. */
export interface TwoStreams {
  readonly app: StreamsApp;
  readonly bad: string;
  readonly good: string;
  readonly handled: Record<string, unknown[]>;
  /** The keys of the bad stream. */
  readonly keys: StreamKeys;
  emit(stream: string, n: number): Promise<unknown>;
}

export async function twoStreams(
  connection: string,
  { subscription, pattern = (stream) => stream, partitions }: RefusedMode,
  bad: string,
  good: string,
  more: Partial<RedisStreamsModuleOptions> = {},
  work: (n: unknown) => unknown = () => undefined,
): Promise<TwoStreams> {
  const handled: Record<string, unknown[]> = { [bad]: [], [good]: [] };
  const streams = partitions === undefined ? {} : { [bad]: { partitions }, [good]: { partitions } };
  const app = await streamsApp(
    {
      connection,
      group: GROUP,
      startFrom: 'beginning',
      blockMs: 300,
      discoveryIntervalMs: 100,
      retry: { maxAttempts: 2, backoff: { type: 'fixed', delayMs: 1, jitter: 0 } },
      streams,
      ...more,
    },
    {
      controllers: [bad, good].map((stream) =>
        handlerOf(
          pattern(stream),
          async (data) => {
            await work(data);
            handled[stream]?.push(data);
          },
          subscription,
        ),
      ),
    },
  );
  const name = partitions === undefined ? bad : partitionName(bad, 0);
  return {
    app,
    bad,
    good,
    handled,
    keys: streamKeys('', name, GROUP),
    emit: (stream, n) => app.emit(stream, n),
  };
}

/** How many commands clients have sent so far. What a script calls counts too. */
export async function commandsSoFar(redis: Redis): Promise<number> {
  const stats = await redis.info('commandstats');
  const calls = [...stats.matchAll(/cmdstat_(?:evalsha|eval|xreadgroup|xinfo[^:]*):calls=(\d+)/g)];
  return calls.reduce((sum, [, count]) => sum + Number(count), 0);
}
