import type { Codec, RecoveryOptions, SubscriptionOptions } from '../../lib/index.js';
import type { Address, MadeConnection } from './address.js';
import type { Arrival } from './arrivals.js';
import type { GroupInRedis } from './group-in-redis.js';

/**
 * A way to use this package. It says what it sets, and nothing else: what may be expected of it follows from that
 * ({@link promisesOf}). Two modes that set the same thing are no pair.
 */
export interface Mode {
  readonly name: string;
  /** Options of the pattern. */
  readonly subscription?: SubscriptionOptions;
  /** `'default'` for that of the package, with its lease of a minute. */
  readonly recovery?: RecoveryOptions | 'default';
  readonly keyPrefix?: string;
  /** Over how many partitions the stream is spread. */
  readonly partitions?: number;
  readonly codec?: () => Codec;
  /** What the handler subscribes to, where that is not the name of the stream. */
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

/** What may be expected of a mode. Behaviours ask here, and never for the mode's name. */
export interface Promises {
  /** What is handled in its order by one member: the whole stream, the messages of one key, or nothing. */
  readonly order: 'stream' | 'key' | 'none';
  /** Whether that holds where a message fails and is tried again. */
  readonly orderThroughRetry: boolean;
  /** Whether a message that waits for its retry stays with its member, whose slot it keeps. */
  readonly retryKeepsSlot: boolean;
  /** How many attempts a message has that always fails, if `maxAttempts` are allowed. */
  readonly retries: boolean;
  /**
   * Whether a message that has failed too often becomes a dead letter. Of a request its caller is told instead, unless its
   * handler asks for a dead letter.
   */
  readonly deadLetters: boolean;
  /** Whether replies come back. */
  readonly replies: boolean;
  /** Whether there is a ledger. */
  readonly ledger: boolean;
  /** Whether a message is acknowledged, and in the ledger, from before it runs. */
  readonly recordedFirst: boolean;
  /** Whether messages wait for their turn as dead letters, not as entries. */
  readonly waitsAsDeadLetter: boolean;
  /** Whether a process that dies loses what it has only read. */
  readonly losesReadAhead: boolean;
  /** Whether a second entry of a message that was handled is known to be one. */
  readonly knowsSecondEntry: boolean;
  /** How long a lease lasts. */
  readonly leaseMs: number;
  /** Until another member takes over what a dead one had. */
  readonly takeoverMs: number;
}

/** Short enough for a test to wait for, and long enough for an event loop that is busy. */
const SHORT_RECOVERY: RecoveryOptions = { minIdleMs: 5_000, intervalMs: 300 };
const DEFAULT_LEASE_MS = 60_000;
const OWNERSHIP_MS = 6_000;

/** The `recovery` of a mode's members; nothing for the default. */
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
    knowsSecondEntry: ledger && mode.codec?.().carriesKey !== false,
    leaseMs,
    takeoverMs: partitions === undefined ? leaseMs : Math.max(OWNERSHIP_MS, leaseMs),
  };
}

/** Both modes at once; nothing where they set the same thing. */
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
