import {
  DeadLetters,
  type RedisStreamsModuleOptions,
  type SubscriptionOptions,
} from '../../lib/index.js';
import { partitionNames, partitionOf } from '../../lib/wire/partitions.js';
import { type Keyed, KeyedRuns } from './keyed-runs.js';
import type { RedisForTests } from './redis-for-tests.js';
import { handlerOf, type StreamsApp, streamsApp } from './streams-app.js';
import { waitFor } from './wait-for.js';

export const GROUP = 'billing';

/** The modes in which a partition has to keep its promises. */
export const PARTITION_MODES = [
  ['at-least-once', {}],
  ['at-most-once', { delivery: 'at-most-once' }],
  ['without a ledger', { dedup: false }],
  ['at-most-once without a ledger', { delivery: 'at-most-once', dedup: false }],
] as const satisfies readonly (readonly [string, SubscriptionOptions])[];

/** A member of the group that shares the partitions of a stream. */
export const startMember = (
  connection: string,
  stream: string,
  partitions: number,
  runs: KeyedRuns,
  subscription: SubscriptionOptions = {},
  options: Partial<RedisStreamsModuleOptions> = {},
): Promise<StreamsApp> =>
  streamsApp(
    {
      connection,
      group: GROUP,
      startFrom: 'beginning',
      streams: { [stream]: { partitions } },
      ...options,
    },
    { controllers: [handlerOf<Keyed>(stream, runs.handle, subscription)] },
  );

/** What a group stores about one partition. */
export const partitionKey = (name: string, what: string): string =>
  `stream:${name}:group:${GROUP}:${what}`;

/** The owner of each partition, `undefined` for one without an owner. */
export const partitionOwners = (
  redis: RedisForTests,
  stream: string,
  partitions: number,
): Promise<(string | undefined)[]> =>
  Promise.all(
    partitionNames(stream, partitions).map(
      async (name) =>
        (await redis.client.hget(partitionKey(name, 'owner'), 'consumer')) ?? undefined,
    ),
  );

/** A key of each partition, in order. */
export const keyOfEach = (partitions: number): string[] =>
  Array.from({ length: partitions }, (_, partition) => {
    for (let k = 0; ; k++) if (partitionOf(`k${k}`, partitions) === partition) return `k${k}`;
  });

/** Waits until two members share the partitions evenly. @returns the owners */
export const evenlyShared = (
  redis: RedisForTests,
  stream: string,
  partitions: number,
): Promise<(string | undefined)[]> =>
  waitFor(
    async () => {
      const owners = await partitionOwners(redis, stream, partitions);
      const members = new Set(owners);
      const first = owners.filter((owner) => owner === owners[0]).length;
      return !members.has(undefined) && members.size === 2 && first * 2 === partitions && owners;
    },
    { timeoutMs: 60_000, description: 'two members own the same number of partitions' },
  );

export const deadLettersOf = ({ app }: StreamsApp): DeadLetters => app.get(DeadLetters);

/** A promise to await in a handler, and the function that resolves it. */
export function gate(): { readonly wait: Promise<void>; readonly open: () => void } {
  let open: () => void = () => undefined;
  const wait = new Promise<void>((resolve) => (open = resolve));
  return { wait, open };
}
