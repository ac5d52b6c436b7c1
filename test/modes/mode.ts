import type { Codec, RecoveryOptions, SubscriptionOptions } from '../../lib/index.js';
import type { Address, MadeConnection } from './address.js';
import type { Arrival } from './arrivals.js';
import type { GroupInRedis } from './group-in-redis.js';

/**
 * A configuration of this package. It contains only settings; what may be expected of it follows from them
 * ({@link promisesOf}). Two modes that set the same thing cannot be combined.
 */
export interface Mode {
  readonly name: string;
  /** Options of the pattern. */
  readonly subscription?: SubscriptionOptions;
  /** `'default'` for that of the package, with its lease of a minute. */
  readonly recovery?: RecoveryOptions | 'default';
  readonly keyPrefix?: string;
  /** The number of partitions of the stream. */
  readonly partitions?: number;
  readonly codec?: () => Codec;
  /** What the handler subscribes to, if that is not the name of the stream. */
  readonly pattern?: (stream: string) => string;
  /** How messages reach the handler. */
  readonly arrival?: Arrival;
  /** Whether a second handler gets each message too. */
  readonly secondHandler?: true;
  /** Whether the server reads a second stream, whose options are the opposite of the first one's. */
  readonly secondStream?: true;
  readonly connect?: (address: Address) => MadeConnection;
  readonly server?: 'cluster';
  /** Done before anything is published, and again before a message is published a second time. */
  readonly prepare?: (group: GroupInRedis) => Promise<void>;
}

/** What may be expected of a mode. Behaviours look here, and never at the mode's name. */
export interface Promises {
  /** What one member handles in order: the whole stream, the messages with one key, or nothing. */
  readonly order: 'stream' | 'key' | 'none';
  /** Whether that holds if a message fails and is retried. */
  readonly orderThroughRetry: boolean;
  /** Whether a message that waits for its retry stays with its member and keeps its slot. */
  readonly retryKeepsSlot: boolean;
  /** How many attempts a message has that always fails, if `maxAttempts` are allowed. */
  readonly retries: boolean;
  /**
   * Whether a message that has failed too often becomes a dead letter. For a request its caller gets an error
   * instead, unless its handler asks for a dead letter.
   */
  readonly deadLetters: boolean;
  /** Whether replies come back. */
  readonly replies: boolean;
  /** Whether there is a ledger. */
  readonly ledger: boolean;
  /** Whether a message is acknowledged and in the ledger before it runs. */
  readonly recordedFirst: boolean;
  /** Whether messages wait for their turn as dead letters, not as entries. */
  readonly waitsAsDeadLetter: boolean;
  /** Whether a process that dies loses what it has only read. */
  readonly losesReadAhead: boolean;
  /**
   * How many batches a process may have, beside what runs, of which Redis does not know that they are unfinished. Replies that are
   * on their way are not finished.
   */
  readonly batchesHeld: number;
  /** Whether a second entry of a handled message is recognized. */
  readonly knowsSecondEntry: boolean;
  /** How long a lease lasts. */
  readonly leaseMs: number;
  /** How long until another member takes over from a dead one. */
  readonly takeoverMs: number;
}

/** Short enough for a test to wait for, and long enough for a busy event loop. */
const SHORT_RECOVERY: RecoveryOptions = { minIdleMs: 5_000, intervalMs: 300 };
const DEFAULT_LEASE_MS = 60_000;
const OWNERSHIP_MS = 6_000;

/** The `recovery` of a mode's members; undefined for the default. */
export const recoveryOf = ({ recovery }: Mode): RecoveryOptions | undefined =>
  recovery === 'default' ? undefined : { ...SHORT_RECOVERY, ...recovery };

export function promisesOf(mode: Mode): Promises {
  const { subscription = {}, arrival, partitions } = mode;
  const { concurrency = 1, delivery, dedup, retry } = subscription;
  const recordedFirst = delivery === 'at-most-once';
  const leaseMs = recoveryOf(mode)?.minIdleMs ?? DEFAULT_LEASE_MS;
  const inOrder = partitions !== undefined ? 'key' : concurrency === 1 ? 'stream' : 'none';
  const replies = arrival?.replies === true;
  const ledger = dedup !== false;
  return {
    order: arrival?.keepsOrder === false ? 'none' : inOrder,
    orderThroughRetry: partitions !== undefined || retry?.blocking === true || recordedFirst,
    retryKeepsSlot: retry?.blocking === true,
    retries: !recordedFirst,
    deadLetters: !replies,
    replies,
    ledger,
    recordedFirst,
    waitsAsDeadLetter: arrival?.waitsUntilRun === true,
    losesReadAhead: recordedFirst && arrival?.waitsUntilRun !== true,
    batchesHeld: recordedFirst && replies ? 7 : 3,
    knowsSecondEntry: ledger && mode.codec?.().carriesKey !== false,
    leaseMs,
    takeoverMs: partitions === undefined ? leaseMs : Math.max(OWNERSHIP_MS, leaseMs),
  };
}

/** Both modes combined; undefined if they set the same thing. */
export function together(one: Mode, other: Mode): Mode | undefined {
  const both = both2(one, other, ['name', 'subscription']);
  const subscription = both2(one.subscription ?? {}, other.subscription ?? {}, []);
  if (both === undefined || subscription === undefined) return undefined;
  return { ...both, subscription, name: `${one.name} × ${other.name}` };
}

function both2<Of extends object>(
  one: Of,
  other: Of,
  besides: readonly (keyof Of)[],
): Of | undefined {
  const isSetTwice = Object.keys(other).some(
    (key) => key in one && !besides.includes(key as keyof Of),
  );
  return isSetTwice ? undefined : { ...one, ...other };
}
