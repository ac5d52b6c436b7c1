import { FieldCodec, WatermillCodec } from '../../lib/index.js';
import { packLedgerScript } from '../../lib/redis/scripts/ledger/pack-ledger.script.js';
import { byIoredis5, speaking } from './address.js';
import { delayed, redriven, requested } from './arrivals.js';
import type { GroupInRedis } from './group-in-redis.js';
import { type Mode, together } from './mode.js';

const PARTITIONS = 2;

/** The table of modes. */
export const MODES = {
  defaults: { name: 'defaults' },
  oneAtATime: { name: 'concurrency 1', subscription: { concurrency: 1 } },
  manyAtOnce: { name: 'concurrency 32', subscription: { concurrency: 32 } },
  partitions: { name: 'partitions', partitions: PARTITIONS },
  longLease: { name: 'default recovery', recovery: 'default' },
  shortLease: { name: 'short recovery', recovery: { minIdleMs: 3_000, intervalMs: 200 } },
  atMostOnce: { name: 'at most once', subscription: { delivery: 'at-most-once' } },
  noLedger: { name: 'dedup: false', subscription: { dedup: false } },
  wildcard: { name: 'wildcard', pattern: (stream) => `${stream.slice(0, -2)}*` },
  packedLedger: {
    name: 'packed ledger',
    subscription: { dedup: { packed: true } },
    prepare: packLedger,
  },
  watermill: { name: 'Watermill codec', codec: () => new WatermillCodec() },
  oneField: { name: 'Field codec', codec: () => new FieldCodec({ field: 'data' }) },
  requests: { name: 'requests', arrival: requested },
  redriven: { name: 'redriven', arrival: redriven },
  delayed: { name: 'delayed', arrival: delayed },
  blocking: { name: 'blocking retry', subscription: { retry: { blocking: true } } },
  handlersInOrder: {
    name: 'handlers in order',
    secondHandler: true,
    subscription: { handlers: 'in-order' },
  },
  handlersAtOnce: {
    name: 'handlers all at once',
    secondHandler: true,
    subscription: { handlers: 'all-at-once' },
  },
  twoStreams: { name: 'two streams', secondStream: true },
  keyPrefix: { name: 'keyPrefix', keyPrefix: 'modes:' },
  resp2: { name: 'RESP 2', connect: speaking(2) },
  resp3: { name: 'RESP 3', connect: speaking(3) },
  ioredis5: { name: 'ioredis 5', connect: byIoredis5 },
  cluster: { name: 'Cluster', server: 'cluster' },
} satisfies Record<string, Mode>;

const ALL: readonly Mode[] = Object.values(MODES);

/** Those that need neither a minute nor several servers. */
export const QUICK_MODES: readonly Mode[] = ALL.filter(
  ({ recovery, server }) => recovery !== 'default' && server === undefined,
);

/** Two modes that contradict each other: `refused.spec.ts` shows the resulting error. */
const CONTRADICTIONS: readonly (readonly Mode[])[] = [
  [MODES.atMostOnce, MODES.blocking],
  [MODES.partitions, MODES.wildcard],
  [MODES.requests, MODES.oneField],
  // A request has one handler: of several, the last one that is registered.
  [MODES.requests, MODES.handlersInOrder],
  [MODES.requests, MODES.handlersAtOnce],
];

/** Whether both can be combined: they set different things, and do not contradict each other. */
export const arePair = (one: Mode, other: Mode): boolean =>
  together(one, other) !== undefined &&
  !CONTRADICTIONS.some((modes) => modes.includes(one) && modes.includes(other));

/** A mode with each of those with which it can be combined. */
export const eachWith = (mode: Mode, all: readonly Mode[]): Mode[] =>
  all.filter((other) => arePair(mode, other)).map((other) => pair(mode, other));

/** All pairs of these modes. */
export const pairsOf = (all: readonly Mode[]): Mode[] =>
  all.flatMap((mode, at) => eachWith(mode, all.slice(at + 1)));

/** The mode with this name, or the pair of modes. */
export function modeNamed(name: string): Mode {
  const [first = '', ...others] = name.split(' × ');
  const named = (modeName: string): Mode => {
    const mode = ALL.find((each) => each.name === modeName);
    if (mode === undefined) throw new Error(`There is no mode "${modeName}"`);
    return mode;
  };
  return others.reduce((mode, each) => pair(mode, named(each)), named(first));
}

/** Two modes combined. @throws if they cannot be combined */
export function pair(one: Mode, other: Mode): Mode {
  const both = together(one, other);
  if (both === undefined) throw new Error(`"${one.name}" and "${other.name}" set the same`);
  return both;
}

/** Fills the ledger if it is empty, and packs all of it. */
async function packLedger(group: GroupInRedis): Promise<void> {
  for (const place of group.places) {
    const { ledger, packedLedger } = group.keysOf(place);
    if ((await group.redis.exists(packedLedger)) === 0) {
      const [seconds] = await group.redis.time();
      const rows = Array.from({ length: 300 }, (_, n) => [Number(seconds) * 1000, `before-${n}`]);
      await group.redis.zadd(ledger, ...rows.flat());
      group.ledgerBefore += rows.length;
    }
    const step = (): Promise<number> =>
      packLedgerScript.run(group.redis, [ledger, packedLedger], [7 * 24 * 60 * 60 * 1000, 0, 128]);
    while ((await step()) > 0);
  }
}
