import { channels } from '../events/channels.js';
import type { AttemptedMessage, ConsumedMessage, MessageRun } from '../events/message-events.js';
import { follow, operations } from '../events/operations.js';
import { RedisClock } from '../redis/server/clocks.js';
import { publishedAtMs } from '../wire/ids.js';
import { publishedMs } from './decoder.js';
import { failedWith, type Verdict } from './handlers/run.js';
import type { Message } from './message.js';

/** Up to how many milliseconds each bucket goes; the last one takes what is longer. */
const BOUNDS_MS = [
  1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000,
  3_600_000,
] as const;

/** How long things took, as counts by duration. */
export interface DurationHistogram {
  /** How many there were, all together. */
  readonly count: number;
  readonly sumMs: number;
  /** Each with how many took as long as `upToMs` at the most, and longer than the one before; `Infinity` is the last. */
  readonly buckets: readonly { readonly upToMs: number; readonly count: number }[];
}

/** Counts durations, at the cost of one increment each. */
export class Histogram {
  private readonly counts: number[] = Array.from({ length: BOUNDS_MS.length + 1 }, () => 0);
  private count = 0;
  private sumMs = 0;

  record(ms: number): void {
    let at = 0;
    while (at < BOUNDS_MS.length && ms > (BOUNDS_MS[at] ?? Infinity)) at++;
    this.counts[at] = (this.counts[at] ?? 0) + 1;
    this.count++;
    this.sumMs += ms;
  }

  snapshot(): DurationHistogram {
    const { count, sumMs } = this;
    const buckets = this.counts.map((its, at) => ({
      upToMs: BOUNDS_MS[at] ?? Infinity,
      count: its,
    }));
    return { count, sumMs, buckets };
  }
}

/** What this process did with messages since it started. */
export interface ConsumerCounts {
  /** All handlers succeeded. */
  handled: number;
  /** A handler failed. */
  failed: number;
  /** Of these: put off for another attempt. */
  retried: number;
  /** Found in the ledger, and not run. */
  duplicate: number;
  /** Made a dead letter. */
  deadLettered: number;
  /** Wanted by no handler: acknowledged, or made a dead letter. */
  unhandled: number;
  /** Requests that nobody waited for any longer: they did not run, or were ended. */
  abandoned: number;
  /** Deleted from the stream before they were handled. */
  lost: number;
}

export const noCounts = (): ConsumerCounts => ({
  handled: 0,
  failed: 0,
  retried: 0,
  duplicate: 0,
  deadLettered: 0,
  unhandled: 0,
  abandoned: 0,
  lost: 0,
});

/** Where the messages are read. */
export interface TalliedWhere {
  readonly stream: string;
  readonly group: string;
  readonly consumer: string;
}

/**
 * Counts what becomes of one stream's messages here, and announces it on the channels. An event is made only if somebody
 * listens, since all of this is done for each message.
 */
export class StreamTally {
  readonly counts = noCounts();
  /** How long handlers ran, whether or not they succeeded. */
  readonly handlerMs = new Histogram();
  /** From publishing, by Redis's clock, to the first attempt. */
  readonly publishToHandleMs = new Histogram();
  /** How often a message was left pending, since Redis refused to record what became of it. */
  leftPending = 0;
  /** How many messages are with their handlers now. */
  inFlight = 0;

  constructor(
    readonly where: TalliedWhere,
    private readonly total: ConsumerCounts,
    private readonly clock: RedisClock,
  ) {}

  received(message: Message): void {
    if (channels.received.hasSubscribers) channels.received.publish(this.about(message));
  }

  duplicate(message: Message): void {
    this.count('duplicate');
    if (channels.duplicate.hasSubscribers) channels.duplicate.publish(this.about(message));
  }

  /** Its handlers are about to run; `monotonicMs` is what `performance.now()` shows. */
  started(message: Message, monotonicMs: number): void {
    this.inFlight++;
    message.waitedMs = undefined;
    const nowMs = this.clock.at(monotonicMs);
    if (message.attempt > 1 || nowMs === undefined) return;
    const publishedAt = publishedMs(message);
    if (publishedAt === undefined) return;
    message.waitedMs = Math.max(0, nowMs - publishedAt);
    this.publishToHandleMs.record(message.waitedMs);
  }

  /** Its handlers have ended; the outcome is decided later. */
  ran(message: Message, { kind }: Verdict, ms: number): void {
    this.inFlight--;
    message.ranMs = ms;
    if (kind !== 'unhandled') this.handlerMs.record(ms);
  }

  handled(message: Message): void {
    this.count('handled');
    if (channels.handled.hasSubscribers) channels.handled.publish(this.run(message));
  }

  unhandled(message: Message): void {
    this.count('unhandled');
    if (channels.unhandled.hasSubscribers) channels.unhandled.publish(this.attempt(message));
  }

  /** A request that nobody waits for any longer. */
  abandoned(): void {
    this.count('abandoned');
  }

  failed(message: Message, error: unknown, closing: boolean): void {
    this.count('failed');
    if (!channels.failed.hasSubscribers) return;
    channels.failed.publish({ ...this.run(message), error, closing });
  }

  retried(message: Message, delayMs: number, error: unknown): void {
    this.count('retried');
    if (!channels.retried.hasSubscribers) return;
    channels.retried.publish({ ...this.attempt(message), delayMs, error });
  }

  deadLettered(message: Message, reason: string, error: unknown): void {
    this.count('deadLettered');
    if (!channels.deadLettered.hasSubscribers) return;
    const { attempt } = message;
    channels.deadLettered.publish({ ...this.about(message), attempts: attempt, reason, error });
  }

  /** No codec reads the entry: nothing is known about its message. */
  undecodable(entryId: string, reason: string, error: unknown): void {
    this.count('deadLettered');
    if (!channels.deadLettered.hasSubscribers) return;
    const about = { ...this.where, entryId, messageId: entryId, name: undefined };
    channels.deadLettered.publish({ ...about, attempts: 0, reason, error });
  }

  /** The entry was deleted from its stream while it was pending. */
  deleted(entryId: string): void {
    this.count('lost');
    if (!channels.lost.hasSubscribers) return;
    const about = { ...this.where, entryId, messageId: undefined, name: undefined };
    channels.lost.publish({ ...about, why: 'deleted' });
  }

  /** It was acknowledged before its run, and its dead letter was refused. */
  lostRefused(entryId: string): void {
    this.count('lost');
    if (!channels.lost.hasSubscribers) return;
    const about = { ...this.where, entryId, messageId: undefined, name: undefined };
    channels.lost.publish({ ...about, why: 'refused' });
  }

  /** It was acknowledged before its run, and the consumer closed before it began. */
  lostOnClose(message: Message): void {
    this.count('lost');
    if (channels.lost.hasSubscribers)
      channels.lost.publish({ ...this.about(message), why: 'closed' });
  }

  /** Whether anybody follows runs of handlers. Only then do they go through {@link traced}. */
  get isTraced(): boolean {
    return operations.handle.hasSubscribers;
  }

  /**
   * Runs a message's handlers as an operation that can be followed. Never rejects: if a subscriber keeps the handlers from
   * running, the message has failed.
   */
  async traced(message: Message, run: () => Promise<Verdict>): Promise<Verdict> {
    let verdict: Verdict | undefined;
    let error: unknown = new Error('a subscriber of the operation did not run the handlers');
    const { headers = {}, key } = message.envelope;
    const publishedAt = new Date(publishedAtMs(message.entryId));
    const operation = { ...this.attempt(message), headers, key, publishedAt };
    try {
      await follow(operations.handle, operation, async () => {
        verdict = await run();
        if (verdict.kind === 'failed' || verdict.kind === 'invalid') throw verdict.error;
        return verdict.kind;
      });
    } catch (thrown) {
      // If the handlers failed, their verdict says so.
      error = thrown;
    }
    return verdict ?? failedWith(error);
  }

  private count(what: keyof ConsumerCounts): void {
    this.counts[what]++;
    this.total[what]++;
  }

  private about({ entryId, messageId, envelope }: Message): ConsumedMessage {
    const { stream, group, consumer } = this.where;
    return { stream, group, consumer, entryId, messageId, name: envelope.name };
  }

  private run(message: Message): MessageRun {
    const { ranMs: durationMs = 0, waitedMs } = message;
    return { ...this.attempt(message), durationMs, waitedMs };
  }

  private attempt(message: Message): AttemptedMessage {
    return { ...this.about(message), attempt: message.attempt };
  }
}

/** Streams may come and go without end: so many that are gone keep their counts. */
const MOST_GONE = 20;

/** What one member of a group did since it started: for each of its streams, and in total. */
export class ConsumerTallies {
  readonly total: ConsumerCounts = noCounts();
  readonly clock = new RedisClock();
  /** How often a connection was lost, or could not be made. */
  reconnects = 0;
  private readonly byStream = new Map<string, StreamTally>();
  /** Streams that are gone, the last one at the end. */
  private readonly gone = new Set<string>();

  constructor(
    private readonly group: string,
    private readonly consumer: string,
  ) {}

  /** A stream that was read before keeps its counts. */
  of(stream: string): StreamTally {
    this.gone.delete(stream);
    let tally = this.byStream.get(stream);
    if (tally === undefined) {
      const { group, consumer, total, clock } = this;
      tally = new StreamTally({ stream, group, consumer }, total, clock);
      this.byStream.set(stream, tally);
    }
    return tally;
  }

  /** A stream is gone: its counts are kept until enough others are. The total keeps them. */
  retire(stream: string): void {
    this.gone.delete(stream);
    this.gone.add(stream);
    const [first = ''] = this.gone;
    if (this.gone.size <= MOST_GONE) return;
    this.gone.delete(first);
    this.byStream.delete(first);
  }

  all(): StreamTally[] {
    return [...this.byStream.values()];
  }
}
