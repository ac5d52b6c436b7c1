import { isRedrive } from '../wire/entry-id.js';
import {
  type DeadEntry,
  OutcomeScripts,
  type OutcomeScriptsParts,
  type Retry,
} from './outcome-scripts.js';
import { JointWrite } from '../redis/connect/joint-write.js';
import { retryUntilDone } from '../redis/connect/retry-until-done.js';
import type { ReplyOutcome } from '../requests/replier.js';
import { type SettledEntry, settleStep, type SettleWork } from './settle-steps.js';
import type { StreamMessage } from './stream-message.js';

/** A success waits this long at the most for others, so that they are settled in one step. */
const LONGEST_WAIT_MS = 4;

export interface SettlerParts extends OutcomeScriptsParts {
  /** The stream's name, as handlers have it. */
  readonly stream: string;
  /** Ends its attempts to reach Redis. */
  readonly signal: AbortSignal;
  readonly onFault: (what: string, error: unknown) => void;
  readonly onDone: (what: string) => void;
  /** Told of a message that failed and is about to be put off. */
  readonly onRetry: (message: StreamMessage, delayMs: number) => void;
  /** Told of entries that are settled, or were given up on. */
  readonly onSettled: (entryIds: readonly string[]) => void;
  /** Whether something else will be sent at any moment, so that outcomes may wait for it. */
  readonly sendsSoon: () => boolean;
  /** Told of what at-most-once acknowledged and could not put back. */
  readonly onLost: (message: StreamMessage) => void;
}

/** Records the outcomes of one stream's messages in Redis, many at once. */
export class Settler {
  private successes: StreamMessage[] = [];
  private releases: StreamMessage[] = [];
  private handOvers: StreamMessage[] = [];
  private putBacks: StreamMessage[] = [];
  private retries: Retry[] = [];
  private timer: NodeJS.Timeout | undefined;
  private readonly underWay = new Set<Promise<void>>();
  private readonly answering = new Set<Promise<void>>();

  private readonly scripts: OutcomeScripts;

  private readonly jointWrite: JointWrite;

  constructor(private readonly parts: SettlerParts) {
    this.jointWrite = new JointWrite(parts.client);
    this.scripts = new OutcomeScripts(parts);
  }

  /** The handlers succeeded. */
  commit(message: StreamMessage): void {
    // At-most-once recorded the message before it ran; what is left of a redrive is its lease.
    if (this.parts.options.delivery === 'at-most-once') return this.release(message);
    this.successes.push(message);
    this.schedule(this.successes);
  }

  /** Nothing is left to record: its lease ends, where it has one. */
  release(message: StreamMessage): void {
    this.releases.push(message);
    this.schedule(this.releases);
  }

  /** The message did not start: another member of the group may have it at once. */
  giveBack(message: StreamMessage): void {
    const { delivery } = this.parts.options;
    // At-most-once has acknowledged it, unless it is a redrive: that has its dead letter until it starts.
    if (delivery === 'at-least-once' || isRedrive(message.entryId)) return this.handOver(message);
    this.putBacks.push(message);
    this.schedule(this.putBacks);
  }

  /** Its lease ends, and another member of the group may have it at once. */
  handOver(message: StreamMessage): void {
    this.handOvers.push(message);
    this.schedule(this.handOvers);
  }

  /** The attempt failed, and there is to be another one. */
  retry(message: StreamMessage, delayMs: number): void {
    this.parts.onRetry(message, delayMs);
    this.retries.push({ message, delayMs });
    this.schedule(this.retries);
  }

  /**
   * The attempt failed, and the caller keeps the message until the next one.
   *
   * @returns whether it still has it; nothing where it was closed before that was known
   */
  countAttempt(message: StreamMessage): Promise<boolean | undefined> {
    const what = 'count an attempt';
    return this.persistently(what, () =>
      settleStep(this.parts, what, [message], () => this.scripts.countAttempt(message)),
    );
  }

  /** Notes that a message starts while nothing else runs here. `false`: another consumer has it, or it was closed. */
  async startAlone(message: StreamMessage): Promise<boolean> {
    return (
      (await this.persistently('note a start', () => this.scripts.startAlone(message))) ?? false
    );
  }

  /** Begins a redrive at-most-once. `false`: it is not to run here, or it was closed before that was known. */
  async startRedrive(message: StreamMessage): Promise<boolean> {
    return (
      (await this.persistently('begin a redrive', () => this.scripts.startRedrive(message))) ??
      false
    );
  }

  /** There is not to be another attempt. */
  deadLetter(entry: DeadEntry): void {
    this.track('write a dead letter', [entry], () => this.scripts.deadLetter(entry));
  }

  /** A request's replies are on their way: once they are in Redis, `record` records its outcome. Else it stays pending. */
  onceAnswered(outcome: Promise<ReplyOutcome>, record: () => void): void {
    const answered = outcome.then((its) => {
      this.answering.delete(answered);
      if (its !== 'closed') record();
    });
    this.answering.add(answered);
  }

  /** Something else is about to be sent: what waits goes along with it in one write, where it is much. */
  sendAlong(): void {
    if (this.successes.length + this.releases.length <= this.parts.options.batchSize / 10) return;
    this.jointWrite.begin();
    this.flush();
  }

  /** Sends what waits, now. */
  flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    const { scripts, successes, releases, handOvers, putBacks, retries } = this;
    this.successes = [];
    this.releases = [];
    this.handOvers = [];
    this.putBacks = [];
    this.retries = [];
    const [committed, redriven] = apart(successes, (message) => message);
    this.track('commit', committed, () => scripts.commit(committed));
    this.track('commit', redriven, () => scripts.commitRedrives(redriven));
    this.track('release', releases, () => scripts.release(releases));
    this.track('hand over', handOvers, () => scripts.handOver(handOvers));
    this.track(
      'put back',
      putBacks,
      () => scripts.putBack(putBacks),
      (isBack) => {
        putBacks.forEach(
          (message, index) => isBack?.[index] === true || this.parts.onLost(message),
        );
      },
    );
    for (const some of apart(retries, ({ message }) => message)) {
      const putOff = some.map(({ message }) => message);
      this.track('put off', putOff, () => scripts.putOff(some));
    }
  }

  /** Sends what waits, and is fulfilled once all of it is settled or given up on. */
  async drained(): Promise<void> {
    this.flush();
    while (this.answering.size > 0) {
      await Promise.all(this.answering);
      this.flush();
    }
    await Promise.all(this.underWay);
  }

  private schedule(waiting: readonly unknown[]): void {
    const { batchSize } = this.parts.options;
    const isEnough = waiting.length >= batchSize && !this.parts.sendsSoon();
    if (isEnough || waiting.length >= 2 * batchSize) return this.flush();
    this.timer ??= setTimeout(() => this.flush(), LONGEST_WAIT_MS);
  }

  private track<Answer>(
    what: SettleWork,
    entries: readonly SettledEntry[],
    send: () => Promise<Answer>,
    onAnswer?: (answer: Answer | undefined) => void,
  ): void {
    if (entries.length === 0) return;
    const settle = async (): Promise<void> => {
      const answer = await this.persistently(what, () =>
        settleStep(this.parts, what, entries, send),
      );
      onAnswer?.(answer);
      this.underWay.delete(done);
      this.parts.onSettled(entries.map(({ entryId }) => entryId));
    };
    const done = settle();
    this.underWay.add(done);
  }

  /** @returns nothing where it was closed first: what was not recorded stays pending, and is found there */
  private async persistently<Answer>(
    what: string,
    send: () => Promise<Answer>,
  ): Promise<Answer | undefined> {
    const { signal, onFault, onDone } = this.parts;
    try {
      const answer = await retryUntilDone(send, signal, (error) => onFault(what, error));
      onDone(what);
      return answer;
    } catch {
      return undefined;
    }
  }
}

/** Entries and redrives: they are recorded in scripts of their own, or with fences of their own. */
function apart<Item>(
  items: Item[],
  messageOf: (item: Item) => StreamMessage,
): readonly [Item[], Item[]] {
  const isOne = (item: Item): boolean => isRedrive(messageOf(item).entryId);
  // Most often there are none.
  if (!items.some(isOne)) return [items, []];
  return [items.filter((item) => !isOne(item)), items.filter(isOne)];
}
