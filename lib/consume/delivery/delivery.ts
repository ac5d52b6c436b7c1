import {
  follow,
  operations,
  type SettledMessage,
  type SettleStep,
} from '../../events/operations.js';
import { retryUntilDone } from '../../redis/connect/retry-until-done.js';
import type { Reservation } from '../../redis/scripts/reserve/reserve.script.js';
import { localNow } from '../../redis/server/clocks.js';
import type { Outcome } from '../decide.js';
import type { Message, UnreadableEntry } from '../message.js';
import type { ClaimPlace } from './delivery-scripts.js';
import type { DeliveryMode, Retry } from './mode.js';
import type { StepFaults } from '../report.js';

/** A success waits this long at most for others, so that they are recorded in one step. */
const LONGEST_WAIT_MS = 4;
/** How many messages one script renews: Redis serves nobody else meanwhile. */
const MOST_RENEWED = 200;

/** What is done with outcomes, as the log calls it. */
type StepName =
  'commit' | 'give back' | 'hand over' | 'put off' | 'write a dead letter' | 'count an attempt';

/** Sends what waits together with what is sent next. */
export interface SharedWrite {
  begin(): void;
}

/**
 * Claims and settles the messages of one stream in one mode: many outcomes in one script, each step again until Redis takes it
 * or the connections are closed.
 */
export class Delivery {
  private commits = new Batch<Message>();
  private backs = new Batch<Message>();
  private retries = new Batch<Retry>();
  private timer: NodeJS.Timeout | undefined;
  private readonly underWay = new Set<Promise<unknown>>();
  private readonly eventNames: Readonly<Record<StepName, SettleStep>>;

  constructor(
    readonly mode: DeliveryMode,
    private readonly place: Pick<ClaimPlace, 'stream' | 'group' | 'consumer'>,
    private readonly batchSize: number,
    private readonly faults: StepFaults,
    /** Ends all attempts to reach Redis. */
    private readonly signal: AbortSignal,
    private readonly sharedWrite: SharedWrite,
  ) {
    this.eventNames = {
      commit: mode.successStep,
      'give back': mode.giveBackStep,
      'hand over': 'hand-over',
      'put off': 'retry',
      'write a dead letter': 'dead-letter',
      'count an attempt': 'count-attempt',
    };
  }

  /**
   * Decides which of these messages may run here, and tells them which attempt it is.
   *
   * @returns undefined if the connections were closed first: they stay pending, for the next run of this consumer or its group
   */
  async reserve(messages: readonly Message[]): Promise<readonly Reservation[] | undefined> {
    const sentAt = localNow();
    const answers = await this.persistently('reserve', () => this.mode.reserve(messages));
    messages.forEach((message, index) => {
      message.leasedAt = sentAt;
      message.attempt = answers?.[index]?.attempt ?? 1;
      message.runsAlone = answers?.[index]?.alone ?? false;
    });
    return answers;
  }

  /** Records that a message starts. `false`: another consumer has it, or the connections were closed first. */
  async recordStart(message: Message): Promise<boolean> {
    return (await this.persistently('note a start', () => this.mode.recordStart(message))) ?? false;
  }

  /** Counts an attempt of a message that stays in its slot. @returns undefined if the connections were closed first */
  countAttempt(message: Message): Promise<boolean | undefined> {
    return this.step('count an attempt', [message], () => this.mode.countAttempt(message));
  }

  /** Keeps messages ours. Returns those that are not ours any more. */
  async renew(messages: readonly Message[]): Promise<Message[]> {
    const lost: Message[] = [];
    for (let at = 0; at < messages.length; at += MOST_RENEWED) {
      const some = messages.slice(at, at + MOST_RENEWED);
      const sentAt = localNow();
      const kept = await this.mode.renew(some);
      some.forEach((message, index) => {
        if (kept[index] === true) message.leasedAt = sentAt;
        else lost.push(message);
      });
    }
    return lost;
  }

  /**
   * Records what became of a message.
   *
   * @param isFollowed whether something else is about to be sent, so that outcomes may wait for it
   * @returns resolves once Redis has it, or the connections are closed; to `false` if a message could not be given back. Never
   *   rejects
   */
  settle(message: Message, outcome: Outcome, isFollowed = false): Promise<unknown> {
    switch (outcome.kind) {
      case 'retry':
        return this.add(this.retries, { message, delayMs: outcome.delayMs }, isFollowed);
      case 'give-back':
        return this.giveBack(message, isFollowed);
      case 'dead': {
        const dead = { message, ...outcome };
        return this.step('write a dead letter', [message], () => this.mode.deadLetter(dead));
      }
      default:
        return this.add(this.commits, message, isFollowed);
    }
  }

  deadLetterUnreadable(entry: UnreadableEntry): Promise<unknown> {
    const settled = { rowId: entry.rowId, entryId: entry.entryId, messageId: entry.rowId };
    return this.step('write a dead letter', [settled], () => this.mode.deadLetterUnreadable(entry));
  }

  /** Tried once: if it fails, the entry stays pending and is found again. */
  async acknowledgeDeleted(rowId: string): Promise<void> {
    try {
      await this.mode.acknowledgeDeleted(rowId);
    } catch (error) {
      this.faults.failed('acknowledge', error);
    }
  }

  /** Lets others have what was read and not reserved. */
  giveBackUnreserved(messages: readonly Message[]): Promise<unknown> {
    if (messages.length === 0 || !this.mode.givesBackUnreserved) return Promise.resolve();
    return this.step('hand over', messages, () => this.mode.giveBackUnreserved(messages));
  }

  /** Something else is about to be sent: what waits goes along in one write, if it is worth it. */
  sendAlong(): void {
    if (this.commits.size <= this.batchSize / 10) return;
    this.sharedWrite.begin();
    this.flush();
  }

  /** Sends what waits now. */
  flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    const { mode, commits, backs, retries } = this;
    this.commits = this.send(commits, 'commit', commits.items, () => mode.commit(commits.items));
    this.backs = this.send(backs, 'give back', backs.items, () => mode.giveBack(backs.items));
    const failed = retries.items.map(({ message }) => message);
    this.retries = this.send(retries, 'put off', failed, () => mode.putOff(retries.items));
  }

  /** Sends what waits, and resolves once everything is recorded or given up on. */
  async drained(): Promise<void> {
    this.flush();
    await Promise.all(this.underWay);
  }

  private async giveBack(message: Message, isFollowed: boolean): Promise<boolean> {
    const { backs } = this;
    const at = backs.size;
    const answers = await this.add(backs, message, isFollowed);
    if (!this.mode.isOnlyOurs(message)) return true;
    return Array.isArray(answers) && answers[at] === true;
  }

  private add<Item>(batch: Batch<Item>, item: Item, isFollowed: boolean): Promise<unknown> {
    batch.items.push(item);
    const isFull = batch.size >= this.batchSize && !isFollowed;
    if (isFull || batch.size >= 2 * this.batchSize) this.flush();
    else this.timer ??= setTimeout(() => this.flush(), LONGEST_WAIT_MS);
    return batch.sent;
  }

  /** Sends a batch, if it is not empty. @returns the batch that takes its place */
  private send<Item>(
    batch: Batch<Item>,
    what: StepName,
    messages: readonly SettledEntry[],
    send: () => Promise<unknown>,
  ): Batch<Item> {
    if (batch.size === 0) return batch;
    void this.step(what, messages, send).then(batch.resolve);
    return new Batch();
  }

  private step<Answer>(
    what: StepName,
    messages: readonly SettledEntry[],
    send: () => Promise<Answer>,
  ): Promise<Answer | undefined> {
    const done = this.persistently(what, () => this.observed(what, messages, send)).finally(() =>
      this.underWay.delete(done),
    );
    this.underWay.add(done);
    return done;
  }

  /** Sends a step as an operation that can be followed, if anybody does. */
  private observed<Answer>(
    what: StepName,
    entries: readonly SettledEntry[],
    send: () => Promise<Answer>,
  ): Promise<Answer> {
    if (!operations.settle.hasSubscribers) return send();
    const { stream, group, consumer } = this.place;
    const step = this.eventNames[what];
    const messages = entries.map((entry) => settledMessage(entry));
    return follow(operations.settle, { stream, group, consumer, step, messages }, send);
  }

  /** @returns undefined if the connections were closed first: what is not recorded stays pending */
  private async persistently<Answer>(
    what: string,
    send: () => Promise<Answer>,
  ): Promise<Answer | undefined> {
    try {
      const answer = await retryUntilDone(send, this.signal, (error) =>
        this.faults.failed(what, error),
      );
      this.faults.worked(what);
      return answer;
    } catch {
      return undefined;
    }
  }
}

/** A message, or an entry that no codec reads. */
type SettledEntry = Pick<Message, 'rowId' | 'entryId'> & {
  readonly messageId: string;
  readonly envelope?: Message['envelope'];
};

function settledMessage({ entryId, messageId, envelope }: SettledEntry): SettledMessage {
  return { entryId, messageId, name: envelope?.name, headers: envelope?.headers ?? {} };
}

/** Items that wait to be sent in one script. All of them share the promise of its answer. */
export class Batch<Item> {
  readonly items: Item[] = [];
  readonly sent: Promise<unknown>;
  resolve: (answer: unknown) => void = () => undefined;

  constructor() {
    this.sent = new Promise((resolve) => (this.resolve = resolve));
  }

  get size(): number {
    return this.items.length;
  }
}
