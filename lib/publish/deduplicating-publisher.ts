import { randomBytes } from 'node:crypto';
import type { Redis } from 'ioredis';
import { faultOf } from '../redis/connect/connection-faults.js';
import { isNoScript } from '../redis/scripts/script.js';
import { errorText, isClusterFault, isRedisReply } from '../redis/server/redis-errors.js';
import { delayedKeys } from '../wire/stream-keys.js';
import { DelayedBatch, EntryBatch } from './entry-batch.js';
import { ConnectionPublisher, type OnOutcome, type OutgoingEntry } from './entry-publisher.js';
import * as text from './publish.messages.js';

/** How long to wait after a command failed although the connection did not. */
const PAUSE_MS = 50;

/**
 * Writes each message ID once within the window. Batches that were not answered when the connection dropped are resent before
 * later ones, until their time is over.
 */
export class DeduplicatingPublisher extends ConnectionPublisher {
  /** Identifies this publisher in Redis. */
  private readonly token = randomBytes(8).toString('hex');
  /** The batches that are filled in this turn of the event loop, by the key that they are written to. */
  private readonly filling = new Map<string, EntryBatch>();
  private waiting: EntryBatch[] = [];
  private readonly inFlight = new Set<EntryBatch>();
  private readonly toResend: EntryBatch[] = [];
  /** What a caller's connection resends by itself after a reconnect. It may fail and have to be resent, before later batches. */
  private readonly resending = new Set<EntryBatch>();
  private lastNumber = 0;
  /** Digests of scripts that Redis knows; in a cluster with the stream's key, since each node has to know it. */
  private readonly known = new Set<string>();
  /**
   * In a cluster, the streams that have a batch in flight. The next batch waits for it, and is filled meanwhile: a node may
   * redirect a batch, and later ones would overtake it.
   */
  private readonly busy = new Set<string>();
  private flushIsDue = false;
  private paused = false;

  constructor(
    client: Redis,
    timeoutMs: number,
    /** 0 if message IDs are not remembered: then it is only for messages that are to be published later. */
    private readonly windowMs: number,
  ) {
    super(client, timeoutMs);
  }

  protected get hasUnanswered(): boolean {
    const filling = this.filling.values();
    for (const batch of [...filling, ...this.inFlight, ...this.toResend, ...this.waiting]) {
      if (!batch.ended) return true;
    }
    return false;
  }

  protected start(entries: readonly OutgoingEntry[], onOutcome: OnOutcome): void {
    entries.forEach((entry, index) => {
      this.batchFor(entry).add(entry, (outcome) => onOutcome(index, outcome));
    });
  }

  protected sendOrFailRest(): void {
    this.flush();
    if (this.client.status !== 'ready') this.failUnsent();
  }

  /** The batch that takes the entry: the one being filled, or a new one. */
  private batchFor(entry: OutgoingEntry): EntryBatch {
    const target = entry.due === undefined ? entry.key : delayedKeys(entry.key).delayed;
    const filling = this.filling.get(target);
    if (filling !== undefined && !filling.isFull) return filling;
    if (filling !== undefined) this.waiting.push(filling);
    this.flushSoon();
    const batch = this.newBatch(entry);
    // Deleted first, so that it is the last one in the order of the batches.
    this.filling.delete(target);
    this.filling.set(target, batch);
    return batch;
  }

  private newBatch({ key, limits, due }: OutgoingEntry): EntryBatch {
    const timer = setTimeout(() => {
      const sent = batch.mayHaveArrived || this.inFlight.has(batch);
      const fault = faultOf(this.client);
      batch.fail(sent, text.notInTime(this.timeoutMs, sent, fault), fault?.cause);
      this.noteAnswered();
    }, this.timeoutMs);
    const Batch = due === undefined ? EntryBatch : DelayedBatch;
    const batch: EntryBatch = new Batch(++this.lastNumber, key, limits, timer);
    return batch;
  }

  private flushSoon(): void {
    if (this.flushIsDue) return;
    this.flushIsDue = true;
    process.nextTick(this.flush);
  }

  private readonly flush = (): void => {
    this.flushIsDue = false;
    for (const [target, batch] of this.filling) {
      if (this.busy.has(batch.key) && !this.isClosing) continue;
      this.filling.delete(target);
      this.waiting.push(batch);
    }
    this.sendWaiting();
  };

  protected onReady(): void {
    this.known.clear();
    if (!this.client.isCluster) for (const batch of this.inFlight) this.resending.add(batch);
    this.sendWaiting();
  }

  private readonly sendWaiting = (): void => {
    const { status, isCluster } = this.client;
    if (status !== 'ready' || (isCluster && this.paused) || this.resending.size > 0) return;
    if (this.toResend.length > 0) {
      // What is in flight may have to be resent too, and before later batches.
      if (this.inFlight.size > 0 && !isCluster) return;
      this.waiting.unshift(...this.toResend.splice(0).sort((a, b) => a.number - b.number));
    }
    const batches = this.waiting;
    this.waiting = [];
    for (const batch of batches) {
      if (batch.ended) continue;
      if (this.busy.has(batch.key)) this.waiting.push(batch);
      else this.send(batch);
    }
  };

  private send(batch: EntryBatch): void {
    const now = performance.now();
    batch.firstSentAt ??= now;
    // A resend that is no longer recognized would be written a second time.
    if (batch.mayHaveArrived && now - batch.firstSentAt >= batch.resendableMs(this.windowMs)) {
      return batch.fail(true, text.LEFT_THE_WINDOW);
    }
    this.inFlight.add(batch);
    const [oldest = batch] = this.inFlight;
    const { client, token, windowMs } = this;
    if (client.isCluster) this.busy.add(batch.key);
    const script = client.isCluster ? batch.script.sha + batch.key : batch.script.sha;
    const form = this.known.has(script) ? 'digest' : 'whole';
    this.known.add(script);
    // A full batch is worth a write of its own: Redis runs it while the next one is made.
    if (!batch.isFull) this.jointWrite.begin();
    const rememberMs = 2 * this.timeoutMs + 60_000;
    const lowest = oldest.number;
    batch.send({ client, form, token, windowMs, lowest, rememberMs }).then(
      (answers) => {
        this.landed(batch);
        if (!batch.ended) batch.answer(answers);
        this.sendNext();
      },
      (error: unknown) => {
        this.landed(batch);
        if (!batch.ended) this.onFailed(batch, error);
        this.sendNext();
      },
    );
  }

  private landed(batch: EntryBatch): void {
    this.inFlight.delete(batch);
    this.resending.delete(batch);
    this.busy.delete(batch.key);
  }

  private onFailed(batch: EntryBatch, error: unknown): void {
    if (isNoScript(error)) {
      this.known.clear();
      this.toResend.push(batch);
    } else if (isClusterFault(error) && !this.isClosing) {
      // It was not run: the nodes do not agree yet on which of them serves the key.
      this.toResend.push(batch);
      this.pause();
    } else if (isRedisReply(error)) {
      // Redis refused this sending. An earlier one that got no answer may still have arrived.
      batch.fail(batch.mayHaveArrived, errorText(error), error);
    } else if (this.isClosing) {
      batch.fail(true, errorText(error), error);
      this.failUnsent();
    } else {
      batch.mayHaveArrived = true;
      this.toResend.push(batch);
      if (this.client.status === 'ready') this.pause();
    }
  }

  private sendNext(): void {
    if (this.toResend.length + this.waiting.length > 0 && !this.paused) this.sendWaiting();
    // Batches that waited for the answer to the one before them.
    if (this.client.isCluster) this.flush();
    this.noteAnswered();
  }

  private pause(): void {
    this.paused = true;
    setTimeout(() => {
      this.paused = false;
      this.sendNext();
    }, PAUSE_MS);
  }

  private failUnsent(): void {
    const fault = faultOf(this.client);
    for (const batch of [...this.toResend.splice(0), ...this.waiting.splice(0)]) {
      if (!batch.ended) batch.fail(batch.mayHaveArrived, text.closedUnsent(fault), fault?.cause);
    }
  }
}
