import {
  follow,
  operations,
  type SettledMessage,
  type SettleStep,
} from '../../events/operations.js';
import { isAboutStream, isTooLarge } from '../../redis/server/redis-errors.js';
import { localNow } from '../../redis/server/clocks.js';
import type { Outcome } from '../decide.js';
import type { Message, UnreadableEntry } from '../message.js';
import { StepFaults } from '../report.js';
import type { ClaimPlace, Retry } from './delivery-scripts.js';
import type { DeliveryMode } from './mode.js';
import { type Patience, type Standing, type StepItem, Steps } from './steps.js';

/** A success waits this long at most for others, so that they are recorded in one step. */
const LONGEST_WAIT_MS = 4;
/** How many messages one script renews: Redis serves nobody else meanwhile. */
const MOST_RENEWED = 200;

/** Sends what waits together with what is sent next. */
export interface SharedWrite {
  begin(): void;
}

/**
 * Claims and settles the messages of one stream: many outcomes in one script, each step again until Redis takes it or the
 * connections are closed. Entries are delivered in the stream's mode, and redrives in one of their own.
 */
export class Deliveries {
  private readonly entries: Outbox;
  private readonly redrives: Outbox;
  private timer: NodeJS.Timeout | undefined;
  private readonly underWay = new Set<Promise<unknown>>();
  private readonly steps: Steps;

  constructor(
    modes: { readonly entries: DeliveryMode; readonly redrives: DeliveryMode },
    private readonly place: Pick<ClaimPlace, 'stream' | 'group' | 'consumer'>,
    private readonly batchSize: number,
    private readonly faults: StepFaults,
    private readonly standing: Standing,
    /** Ends all attempts to reach Redis. */
    signal: AbortSignal,
    private readonly sharedWrite: SharedWrite,
  ) {
    this.entries = new Outbox(modes.entries);
    this.redrives = new Outbox(modes.redrives);
    this.steps = new Steps(faults, standing, signal);
  }

  /** That of the entries. */
  get mode(): DeliveryMode {
    return this.entries.mode;
  }

  modeOf(message: Pick<Message, 'isRedrive'>): DeliveryMode {
    return this.outboxOf(message).mode;
  }

  /**
   * Decides which of these messages may run here, and tells each of them, with the number of its attempt. Outcomes that wait are
   * sent along.
   */
  async reserve(messages: readonly Message[]): Promise<void> {
    this.sendAlong();
    await this.inTheirModes(messages, async (mode, some) => {
      const sentAt = localNow();
      const answers = await this.steps.take('reserve', some, (part) => mode.reserve(part));
      some.forEach((message, index) => {
        const answer = answers?.[index];
        message.leasedAt = sentAt;
        message.reservation = message.refusal === undefined ? answer?.kind : 'refused';
        message.attempt = answer?.attempt ?? 1;
        message.runsAlone = answer?.alone ?? false;
      });
    });
  }

  /** Records that a message starts. `false`: another consumer has it, or the connections were closed first. */
  async recordStart(message: Message): Promise<boolean> {
    const mode = this.modeOf(message);
    const send = (): Promise<boolean> => mode.recordStart(message);
    return (await this.steps.take('note a start', [message], send)) ?? false;
  }

  /** Counts an attempt of a message that stays in its slot. @returns undefined if the connections were closed first */
  countAttempt(message: Message): Promise<boolean | undefined> {
    const mode = this.modeOf(message);
    const send = (): Promise<boolean> => mode.countAttempt(message);
    return this.step('count an attempt', 'count-attempt', [message], send);
  }

  /**
   * Keeps messages ours, and those whose outcome a refused stream holds up. Yields those that are not ours any more.
   *
   * @throws the first failure, after all the others were renewed
   */
  async *renew(messages: readonly Message[]): AsyncGenerator<Message, void> {
    const all = new Set([...messages, ...this.steps.heldUp]);
    let failure: unknown;
    for (const { mode } of [this.entries, this.redrives]) {
      const ofMode = [...all].filter((message) => this.modeOf(message) === mode);
      for (let at = 0; at < ofMode.length; at += MOST_RENEWED) {
        const some = ofMode.slice(at, at + MOST_RENEWED);
        try {
          yield* await lostOf(mode, some);
        } catch (error) {
          failure ??= error;
        }
      }
    }
    if (failure !== undefined) throw failure;
  }

  /** What Redis refuses from now on is given up: it stays pending. */
  end(): void {
    this.steps.end();
  }

  /**
   * Records what became of a message.
   *
   * @param isFollowed whether something else is about to be sent, so that outcomes may wait for it
   * @returns resolves once Redis has it, or the connections are closed; to `false` if a message could not be given back. Never
   *   rejects
   */
  settle(message: Message, outcome: Outcome, isFollowed: boolean): Promise<unknown> {
    const outbox = this.outboxOf(message);
    switch (outcome.kind) {
      case 'retry':
        return this.add(outbox.retries, { message, delayMs: outcome.delayMs }, isFollowed);
      case 'give-back':
        return this.giveBack(outbox, message, isFollowed);
      case 'dead': {
        const dead = { message, ...outcome };
        // If nothing of it is pending, it is lost without its dead letter.
        const patience = outbox.mode.isOnlyOurs(message) ? 'waits to the end' : 'never waits';
        return this.writeDeadLetter(
          message,
          (isShort) => outbox.mode.deadLetter(dead, isShort),
          patience,
        );
      }
      default:
        return this.add(outbox.commits, message, isFollowed);
    }
  }

  deadLetterUnreadable(entry: UnreadableEntry): Promise<unknown> {
    const mode = this.modeOf(entry);
    return this.writeDeadLetter(
      entry,
      (isShort) => mode.deadLetterUnreadable(entry, isShort),
      'never waits',
    );
  }

  /** Tried once: if it fails, the entry stays pending and is found again. @returns whether it did not fail */
  async acknowledgeDeleted(rowId: string): Promise<boolean> {
    try {
      await this.mode.acknowledgeDeleted(rowId);
      return true;
    } catch (error) {
      if (isAboutStream(error)) this.standing.note(error);
      else this.faults.failed('acknowledge', error);
      return false;
    }
  }

  /** Lets others have what was read and not reserved. */
  async giveBackUnreserved(messages: readonly Message[]): Promise<void> {
    await this.inTheirModes(messages, (mode, some) =>
      mode.givesBackUnreserved
        ? this.step('hand over', 'hand-over', some, (part) => mode.giveBackUnreserved(part))
        : undefined,
    );
  }

  /** Sends what waits now. */
  flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    for (const outbox of [this.entries, this.redrives]) {
      const { mode, commits, backs, retries } = outbox;
      outbox.commits = this.send(commits, 'commit', mode.successStep, commits.items, (some) =>
        mode.commit(some),
      );
      outbox.backs = this.send(backs, 'give back', mode.giveBackStep, backs.items, (some) =>
        mode.giveBack(some),
      );
      const failed = retries.items.map(({ message }) => message);
      outbox.retries = this.send(retries, 'put off', 'retry', failed, (some) =>
        mode.putOff(retriesOf(some, retries.items)),
      );
    }
  }

  /** Sends what waits, and resolves once everything is recorded or given up on. */
  async drained(): Promise<void> {
    this.flush();
    await Promise.all(this.underWay);
  }

  private outboxOf({ isRedrive }: Pick<Message, 'isRedrive'>): Outbox {
    return isRedrive ? this.redrives : this.entries;
  }

  /** Entries and redrives each in their mode, at the same time. */
  private inTheirModes(
    messages: readonly Message[],
    act: (mode: DeliveryMode, some: readonly Message[]) => Promise<unknown> | undefined,
  ): Promise<unknown> | undefined {
    if (messages.length === 0) return undefined;
    const redrives = messages.filter(({ isRedrive }) => isRedrive);
    if (redrives.length === 0) return act(this.entries.mode, messages);
    const entries = messages.filter(({ isRedrive }) => !isRedrive);
    const ofEntries = entries.length === 0 ? undefined : act(this.entries.mode, entries);
    return Promise.all([ofEntries, act(this.redrives.mode, redrives)]);
  }

  /** Something else is about to be sent: what waits goes along in one write, if it is worth it. */
  private sendAlong(): void {
    if (this.entries.commits.size + this.redrives.commits.size <= this.batchSize / 10) return;
    this.sharedWrite.begin();
    this.flush();
  }

  private async giveBack(outbox: Outbox, message: Message, isFollowed: boolean): Promise<boolean> {
    const { backs, mode } = outbox;
    const at = backs.size;
    const answers = await this.add(backs, message, isFollowed);
    if (!mode.isOnlyOurs(message)) return true;
    return Array.isArray(answers) && answers[at] === true;
  }

  /** If Redis refuses a dead letter for its size, it is written without what is large. */
  private writeDeadLetter(
    entry: StepItem,
    write: (isShort: boolean) => Promise<unknown>,
    patience: Patience,
  ): Promise<unknown> {
    const send = async (): Promise<unknown> => {
      try {
        return await write(false);
      } catch (error) {
        if (!isTooLarge(error)) throw error;
        const written = await write(true);
        this.faults.shortened(entry.entryId, error);
        return written;
      }
    };
    return this.step('write a dead letter', 'dead-letter', [entry], send, patience);
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
    what: string,
    event: SettleStep,
    messages: readonly Message[],
    send: (some: readonly Message[]) => Promise<unknown>,
  ): Batch<Item> {
    if (batch.size === 0) return batch;
    void this.step(what, event, messages, send).then(batch.resolve);
    return new Batch();
  }

  /** A step that can be followed, and that `drained()` waits for. @param what as the log calls it */
  private step<Entry extends StepItem, Answer>(
    what: string,
    event: SettleStep,
    entries: readonly Entry[],
    send: (some: readonly Entry[]) => Promise<Answer>,
    patience?: Patience,
  ): Promise<Answer | undefined> {
    const followed = (some: readonly Entry[]): Promise<Answer> => {
      if (!operations.settle.hasSubscribers) return send(some);
      const { stream, group, consumer } = this.place;
      const messages = some.map((entry) => settledMessage(entry));
      const operation = { stream, group, consumer, step: event, messages };
      return follow(operations.settle, operation, () => send(some));
    };
    const done = this.steps
      .take(what, entries, followed, patience)
      .finally(() => this.underWay.delete(done));
    this.underWay.add(done);
    return done;
  }
}

function settledMessage(item: StepItem): SettledMessage {
  const { entryId } = item;
  if (!('attempt' in item)) return { entryId, messageId: item.rowId, name: undefined, headers: {} };
  const { messageId, envelope } = item;
  return { entryId, messageId, name: envelope.name, headers: envelope.headers ?? {} };
}

/** Keeps messages of one mode ours. @returns those that are not ours any more */
async function lostOf(mode: DeliveryMode, messages: readonly Message[]): Promise<Message[]> {
  const sentAt = localNow();
  const kept = await mode.renew(messages);
  return messages.filter((message, index) => {
    if (kept[index] !== true) return true;
    message.leasedAt = sentAt;
    return false;
  });
}

/** The retries of some messages. Nearly always of all. */
const retriesOf = (some: readonly Message[], all: readonly Retry[]): readonly Retry[] =>
  some.length === all.length ? all : all.filter(({ message }) => some.includes(message));

/** What waits to be recorded of the messages that are delivered in one mode. */
class Outbox {
  commits = new Batch<Message>();
  backs = new Batch<Message>();
  retries = new Batch<Retry>();

  constructor(readonly mode: DeliveryMode) {}
}

/** Items that wait to be sent in one script. All of them share the promise of its answer. */
class Batch<Item> {
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
