import { randomBytes } from 'node:crypto';
import type { Redis } from 'ioredis';
import { PublishError } from '../errors/client.errors.js';
import { delayedKeys } from '../wire/stream-keys.js';
import { JointWrite } from '../redis/connect/joint-write.js';
import { errorText, isClusterFault, isRedisReply } from '../redis/server/redis-errors.js';
import { isNoScript } from '../redis/scripts/script.js';
import * as text from './client.messages.js';
import { DelayBatch } from './delay-batch.js';
import { PublishBatch } from './publish-batch.js';
import type { PublishReceipt } from './publish-receipt.js';
import { outcomesOf, type Publisher, type PublishOutcome, type Publishing } from './publishing.js';

/** How long to wait where a command failed and the connection did not. */
const PAUSE_MS = 50;

/**
 * Sends messages so that each message ID is written once within the window. What was not answered when the connection
 * dropped is sent again, before what came after it, until its time is over.
 */
export class OncePublisher implements Publisher {
  /** Tells this publisher's sendings from those of others. */
  private readonly token = randomBytes(8).toString('hex');
  private readonly jointWrite: JointWrite;
  /** What is filled in this turn, by the stream's key, and whether it is for later. */
  private readonly filling = new Map<string, PublishBatch>();
  private waiting: PublishBatch[] = [];
  private readonly inFlight = new Set<PublishBatch>();
  /** What has to be sent again. */
  private readonly again: PublishBatch[] = [];
  private lastNumber = 0;
  /** Of which kinds of batches Redis knows the script by its digest; in a cluster with the stream, since each node has to. */
  private readonly known = new Set<typeof PublishBatch | string>();
  /**
   * In a cluster, the streams of which a batch is in flight. The next one waits for it, and is filled meanwhile: a node may send
   * one on, and then it would be overtaken by those behind it.
   */
  private readonly busy = new Set<string>();
  private flushIsDue = false;
  private onAnswered: (() => void) | undefined;

  constructor(
    private readonly client: Redis,
    private readonly timeoutMs: number,
    /** 0 where what was published is not remembered: then it is for messages only that are to be published later. */
    private readonly windowMs: number,
  ) {
    this.jointWrite = new JointWrite(client);
    client.on('ready', this.onReady);
  }

  get isClosing(): boolean {
    return this.onAnswered !== undefined;
  }

  publish(message: Publishing): Promise<PublishReceipt> {
    return new Promise((resolve, reject) => {
      this.batchWithRoom(message).add(message, (outcome) => {
        if (outcome instanceof PublishError) reject(outcome);
        else resolve(outcome);
      });
    });
  }

  publishAll(messages: readonly Publishing[]): Promise<PublishOutcome[]> {
    return outcomesOf(messages.length, (settle) => {
      messages.forEach((message, index) => {
        this.batchWithRoom(message).add(message, (outcome) => settle(index, outcome));
      });
    });
  }

  private batchWithRoom(message: Publishing): PublishBatch {
    const place = message.due === undefined ? message.key : delayedKeys(message.key).delayed;
    let batch = this.filling.get(place);
    if (batch === undefined || batch.isFull) {
      if (batch !== undefined) this.waiting.push(batch);
      this.flushSoon();
      batch = this.batchFor(message);
      // Last in the order of the batches.
      this.filling.delete(place);
      this.filling.set(place, batch);
    }
    return batch;
  }

  async close(): Promise<void> {
    this.client.off('ready', this.onReady);
    const answered = new Promise<void>((resolve) => {
      this.onAnswered = resolve;
    });
    this.flush();
    if (this.client.status !== 'ready') this.giveUp();
    this.noteAnswered();
    await answered;
  }

  private giveUp(): void {
    for (const batch of [...this.again.splice(0), ...this.waiting.splice(0)]) {
      if (!batch.ended) batch.fail(batch.unclear, text.CLOSED);
    }
  }

  private batchFor({ key, limits, due }: Publishing): PublishBatch {
    const timer = setTimeout(() => {
      const sent = batch.unclear || this.inFlight.has(batch);
      batch.fail(sent, text.notInTime(this.timeoutMs, sent));
      this.noteAnswered();
    }, this.timeoutMs);
    const Kind = due === undefined ? PublishBatch : DelayBatch;
    const batch: PublishBatch = new Kind(++this.lastNumber, key, limits, timer);
    return batch;
  }

  private flushSoon(): void {
    if (this.flushIsDue) return;
    this.flushIsDue = true;
    process.nextTick(this.flush);
  }

  private readonly flush = (): void => {
    this.flushIsDue = false;
    for (const [place, batch] of this.filling) {
      if (this.busy.has(batch.key) && !this.isClosing) continue;
      this.filling.delete(place);
      this.waiting.push(batch);
    }
    this.sendWaiting();
  };

  private readonly onReady = (): void => {
    this.known.clear();
    this.sendWaiting();
  };

  private readonly sendWaiting = (): void => {
    const { status, isCluster } = this.client;
    if (status !== 'ready' || (isCluster && this.paused)) return;
    if (this.again.length > 0) {
      // Some of what is in flight may have to be sent again too, and before what came after it.
      if (this.inFlight.size > 0 && !isCluster) return;
      const again = this.again.splice(0).sort((a, b) => a.number - b.number);
      this.waiting.unshift(...again);
    }
    const due = this.waiting;
    this.waiting = [];
    for (const batch of due) {
      if (batch.ended) continue;
      if (this.busy.has(batch.key)) this.waiting.push(batch);
      else this.send(batch);
    }
  };

  private send(batch: PublishBatch): void {
    const now = performance.now();
    batch.firstSentAt ??= now;
    // What is no longer remembered would be written once more.
    if (batch.unclear && now - batch.firstSentAt >= batch.findableMs(this.windowMs)) {
      return batch.fail(true, text.LEFT_THE_WINDOW);
    }
    this.inFlight.add(batch);
    const [oldest = batch] = this.inFlight;
    const { client, token, windowMs } = this;
    if (client.isCluster) this.busy.add(batch.key);
    const kind = batch.constructor as typeof PublishBatch;
    const script = client.isCluster ? kind.name + batch.key : kind;
    const form = this.known.has(script) ? 'digest' : 'whole';
    this.known.add(script);
    // One that is full is worth a write of its own: Redis works on it while the next one is made.
    if (!batch.isFull) this.jointWrite.begin();
    const rememberMs = 2 * this.timeoutMs + 60_000;
    const lowest = oldest.number;
    batch.send({ client, form, token, windowMs, lowest, rememberMs }).then(
      (answers) => {
        this.landed(batch);
        if (!batch.ended) batch.answer(answers);
        this.goOn();
      },
      (error: unknown) => {
        this.landed(batch);
        if (!batch.ended) this.onFailed(batch, error);
        this.goOn();
      },
    );
  }

  private landed(batch: PublishBatch): void {
    this.inFlight.delete(batch);
    this.busy.delete(batch.key);
  }

  private onFailed(batch: PublishBatch, error: unknown): void {
    if (isNoScript(error)) {
      this.known.clear();
      this.again.push(batch);
    } else if (isClusterFault(error) && this.onAnswered === undefined) {
      // It was not executed: the nodes are not at one yet about who serves it.
      this.again.push(batch);
      this.pause();
    } else if (isRedisReply(error)) {
      // A refusal is an answer; of a sending before it that had none, nothing is known.
      batch.fail(batch.unclear, errorText(error), error);
    } else {
      batch.unclear = true;
      if (this.onAnswered !== undefined) {
        batch.fail(true, errorText(error), error);
        return this.giveUp();
      }
      this.again.push(batch);
      if (this.client.status === 'ready') this.pause();
    }
  }

  private goOn(): void {
    if (this.again.length > 0 && !this.paused) this.sendWaiting();
    // What waited for the answer to the batch before it.
    if (this.client.isCluster) this.flush();
    this.noteAnswered();
  }

  private paused = false;

  private pause(): void {
    this.paused = true;
    setTimeout(() => {
      this.paused = false;
      this.goOn();
    }, PAUSE_MS);
  }

  private noteAnswered(): void {
    if (this.onAnswered === undefined) return;
    for (const batch of [...this.inFlight, ...this.again, ...this.waiting]) {
      if (!batch.ended) return;
    }
    this.onAnswered();
  }
}
