import type { DeadLetterOptions, RetryOptions } from './retry-options.js';

/** The de-duplication window of a subscription. */
export interface DedupOptions {
  /**
   * How long a processed message ID is remembered, in ms, 1 or more. Longer costs memory in Redis: one ledger
   * entry for each message in the window, of less than 30 bytes where it is packed.
   *
   * @default 604_800_000 (7 days)
   */
  windowMs?: number;
  /**
   * Whether maintenance packs what is older than the newest 4 000 of the ledger: a fifth of the memory. `false` leaves
   * all message IDs in the ZSET, 120 to 150 bytes each, where other programs look for them there. What is packed already
   * is known until its window is over.
   *
   * @default true
   */
  packed?: boolean;
}

/** Where a group begins to read: with what comes, with all there is, or after an entry ID. */
export type StartFrom = 'latest' | 'beginning' | `${number}-${number}`;

/** Whether several handlers of one message wait for each other. */
export type HandlersMode = 'in-order' | 'all-at-once';

/** What each pattern can set for itself, with `subscription({...})`. */
export interface SubscriptionOptions {
  /**
   * Where the group begins. Used only when the group is created: a group that exists goes on where it was.
   *
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
   * How long a handler may take, in ms, 1 or more. Then its signal is aborted, and it counts as a failed attempt, also
   * where it goes on.
   *
   * @default none
   */
  handlerTimeoutMs?: number;
  /**
   * When a message whose handler failed is tried again, and how often. On a `@MessagePattern` it is for requests, which are
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
   * What becomes of a message that no handler wants, since all that the stream has here are for other names. `'ack'`: it is
   * acknowledged, and counted. `'dead-letter'`: it is kept as a dead letter, for where every name should have its handler,
   * or where members of a group have different handlers, as in a deploy that goes step by step.
   *
   * @default 'ack'
   */
  unhandled?: 'ack' | 'dead-letter';
}
