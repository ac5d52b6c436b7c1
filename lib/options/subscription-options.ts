/** How the wait before an attempt grows. */
export interface BackoffOptions {
  /**
   * `'fixed'`: always `delayMs`; `'linear'`: `delayMs` times the attempts so far; `'exponential'`: doubled each time.
   *
   * @default 'exponential'
   */
  type?: 'fixed' | 'linear' | 'exponential';
  /**
   * The first wait, in ms, 0 to `maxDelayMs`.
   *
   * @default 1_000
   */
  delayMs?: number;
  /**
   * The longest wait, in ms, 0 or more. The jitter does not exceed it.
   *
   * @default 60_000
   */
  maxDelayMs?: number;
  /**
   * The share of a wait that is random, 0 to 1, so that messages that failed together do not come back together.
   *
   * @default 0.2
   */
  jitter?: number;
}

/**
 * Called after each failed attempt (from 1) with what was thrown, which can be anything. Returns how long to wait, in ms, 0 to
 * ten years, or `'dead-letter'` if another attempt is useless. `maxAttempts` still applies. If it throws or returns anything
 * else, such as a promise, that is logged once for each stream, and the default backoff applies.
 */
export type BackoffFunction = (attempt: number, error: unknown) => number | 'dead-letter';

/** What happens to a message whose handler failed. */
export interface RetryOptions {
  /**
   * How many attempts a message has before it becomes a dead letter, 1 to 1_000_000. A message that kills its process each time
   * runs once more than that (unless it is 1): its second run, which another message may have ended, is not charged.
   * `delivery: 'at-most-once'` tries nothing again, whatever this says.
   *
   * @default 5
   */
  maxAttempts?: number;
  /** @default exponential from 1 s to 60 s */
  backoff?: BackoffOptions | BackoffFunction;
  /**
   * Whether the consumer waits for the next attempt of a failed message before it starts another one of its stream,
   * so that order is kept. The message keeps its slot meanwhile. With `concurrency: 1` nothing passes it. Refused with
   * `delivery: 'at-most-once'`, which tries nothing again.
   *
   * @default false: it waits without a slot, and others go on
   */
  blocking?: boolean;
}

/** How dead letters are kept. */
export interface DeadLetterOptions {
  /**
   * About how many of a group's dead letters to keep, 1 to 1_000_000_000_000; the oldest are deleted.
   *
   * @default none: all are kept
   */
  maxLength?: number;
}

/** The de-duplication window of a subscription. */
export interface DedupOptions {
  /**
   * How long a processed message ID is remembered, in ms, 1 to 315_360_000_000 (ten years). Longer costs memory in Redis: one ledger
   * entry for each message in the window, of less than 30 bytes once it is packed.
   *
   * @default 604_800_000 (7 days)
   */
  windowMs?: number;
  /**
   * Whether maintenance packs what is older than the newest 4 000 of the ledger: a fifth of the memory, at most 40 bytes for
   * each from 100 000 on. A run packs at least as fast as one process drains; until it has, an ID takes about 140 bytes. `false` leaves
   * all message IDs in the ZSET, 120 to 150 bytes each: set it if other programs look for them there. What is already packed
   * stays known until its window is over.
   *
   * @default true
   */
  packed?: boolean;
}

/** A duration: `500ms`, `30s`, `15m`, `12h`, `7d`. */
export type TimeSpan = `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`;

/**
 * Where a group starts to read: with new entries; with the oldest one; after an entry ID; with the first entry at or after a time,
 * as a `Date` or its ISO text with an offset (`2026-03-01T08:00:00Z`; a day alone is that day in UTC); or with the first one that is
 * not older than a span (`24h`), by Redis's clock when the group is created. A time in the future is the same as `'latest'`.
 */
export type StartFrom =
  | 'latest'
  | 'beginning'
  | `${number}-${number}`
  | Date
  | `${number}-${number}-${number}`
  | `${number}-${number}-${number}T${string}`
  | TimeSpan;

/** Whether several handlers of one message wait for each other. */
export type HandlersMode = 'in-order' | 'all-at-once';

/** Options that each pattern can set for itself, with `subscription({...})`. */
export interface SubscriptionOptions {
  /**
   * Where the group starts. Used only when the group is created: a group that exists continues from its last entry, and
   * `nest-streams reset-group` moves it.
   *
   * @example startFrom: '24h'
   * @default 'latest'
   */
  startFrom?: StartFrom;
  /**
   * How many entries one read may bring, and how many may be read ahead, 1 to 1000. More means fewer round
   * trips; less means that a consumer which dies holds fewer.
   *
   * @default 100
   */
  batchSize?: number;
  /**
   * How many bytes of a stream's entries one server may hold in addition to those that run, 1 to 1_000_000_000_000. Each read asks for
   * as many entries as fit, by the size of recent ones, so that one read can exceed it if entries suddenly become larger. At
   * least one entry is read ahead. The partitions of a stream have equal shares; messages that wait for retries of messages with
   * their keys may be as many bytes again. Decoded payloads come on top. Less suits small containers with large messages.
   *
   * @default 67_108_864 (64 MiB)
   */
  readAheadBytes?: number;
  /**
   * How many bytes of the values that one request's handler gives may wait to be written, 1 to 1_000_000_000_000. An Observable can
   * give values faster than Redis takes them: beyond this the request fails with a `RepliesTooFastError`. An async iterable is
   * only asked for as many values as Redis takes.
   *
   * @default 67_108_864 (64 MiB)
   */
  replyBufferBytes?: number;
  /**
   * How many messages of a stream one consumer handles at a time, 1 to 10_000. With 1 they are handled first in,
   * first out within a consumer.
   *
   * @default 1
   */
  concurrency?: number;
  /**
   * `'at-least-once'`: acknowledged after the handlers succeeded. `'at-most-once'`: acknowledged before they
   * run, so that a failure is not run again; `retry: { blocking: true }` contradicts it.
   *
   * @default 'at-least-once'
   */
  delivery?: 'at-least-once' | 'at-most-once';
  /**
   * The window in which a message ID is handled once. `false` turns ledger and leases off: faster, and a message
   * that was published or delivered twice runs twice.
   *
   * @default { windowMs: 604_800_000 }
   */
  dedup?: DedupOptions | false;
  /**
   * How long a handler may take, in ms, 1 to 2_147_483_647. Then its signal is aborted, and it counts as a failed attempt, even
   * if it goes on.
   *
   * @default none
   */
  handlerTimeoutMs?: number;
  /**
   * When a message whose handler failed is tried again, and how often. On a `@MessagePattern` it applies to requests, which are
   * not tried again unless it is set there.
   */
  retry?: RetryOptions;
  /** How this group's dead letters are kept. */
  deadLetter?: DeadLetterOptions;
  /**
   * How several handlers of one message run. `'in-order'`: one after the other, in the order of registration.
   * `'all-at-once'`: none waits for another, so that the message takes as long as its slowest handler. Either way all of
   * them run, the message has one outcome, the worst, and its retry runs them all again.
   *
   * @default 'in-order'
   */
  handlers?: HandlersMode;
  /**
   * What happens to a message that no handler wants, because all handlers of its stream here are for other names. `'ack'`: it is
   * acknowledged, and counted. `'dead-letter'`: it is kept as a dead letter. Use it if every name should have a handler,
   * or if members of a group have different handlers, as during a rolling deploy.
   *
   * @default 'ack'
   */
  unhandled?: 'ack' | 'dead-letter';
}
