import { decideRefused, type Outcome } from './decide.js';
import type { Deliveries } from './delivery/deliveries.js';
import type { StepItem } from './delivery/steps.js';
import type { RequestRuns } from './handlers/request-runs.js';
import type { Message, UnreadableEntry } from './message.js';
import type { Report } from './report.js';

/** How long a message is left alone if Redis refuses both its outcome and its dead letter. Doubled each time. */
const FIRST_MS = 30_000;
const LONGEST_MS = 3_600_000;
/** How many such messages are remembered. */
const MOST_REMEMBERED = 10_000;
/** Of how many the outcome is kept. It holds what the handler threw, which may be large. */
const MOST_OUTCOMES = 1_000;

/** A message that was left pending. */
interface Left {
  readonly delayMs: number;
  readonly untilMs: number;
  /** What became of it, if it has run. */
  readonly outcome: Outcome | undefined;
}

/**
 * What becomes of the messages of a stream that Redis refuses one by one: each is made a dead letter, with the refusal as its
 * reason. If that is refused too, it stays pending, and this process does not take it again for some time. Then it tries to
 * record the same outcome again: it does not run the message a second time.
 */
export class RefusedMessages {
  private readonly left = new Map<string, Left>();

  constructor(
    private readonly deliveries: Deliveries,
    private readonly requests: RequestRuns,
    private readonly report: Report,
  ) {}

  /** Whether a message was left pending not long ago. */
  isLeft(rowId: string): boolean {
    if (this.left.size === 0) return false;
    return (this.left.get(rowId)?.untilMs ?? 0) > performance.now();
  }

  /** What became of a message that has run, and was left pending since. */
  outcomeOf(rowId: string): Outcome | undefined {
    return this.left.size === 0 ? undefined : this.left.get(rowId)?.outcome;
  }

  /** What became of a message is recorded. */
  forget(rowId: string): void {
    if (this.left.size > 0) this.left.delete(rowId);
  }

  /** Redis refused to record what became of a message. */
  async giveUp(message: Message, outcome: Outcome): Promise<void> {
    if (outcome.kind !== 'dead') {
      const dead = decideRefused(message, `record it as ${outcome.kind}`);
      message.refusal = undefined;
      await this.deliveries.settle(message, dead, false);
      if (message.refusal === undefined) this.report.outcome(message, dead);
    }
    const isAcknowledged = this.deliveries.modeOf(message).isOnlyOurs(message);
    this.leaveIfRefused(message, isAcknowledged, outcome);
  }

  /** Redis refused to reserve a message. The caller of a request is told. */
  async giveUpUnreserved(message: Message): Promise<void> {
    const dead = decideRefused(message, 'reserve it');
    void this.requests.conclude(message, dead);
    await this.deadLetterUnreadable({ ...message, ...dead, refusal: undefined });
  }

  /** What no codec reads now will not be readable later. */
  async deadLetterUnreadable(entry: UnreadableEntry): Promise<void> {
    this.report.unreadable(entry);
    await this.deliveries.deadLetterUnreadable(entry);
    this.leaveIfRefused(entry, false);
  }

  private leaveIfRefused(item: StepItem, isAcknowledged: boolean, outcome?: Outcome): void {
    const { rowId, refusal } = item;
    if (refusal === undefined) return this.forget(rowId);
    if (isAcknowledged) return this.report.lostWithLetter(item, refusal);
    const before = this.left.get(rowId)?.delayMs ?? FIRST_MS / 2;
    const delayMs = Math.min(LONGEST_MS, 2 * before);
    this.left.delete(rowId);
    const kept = this.left.size < MOST_OUTCOMES ? outcome : undefined;
    this.left.set(rowId, { delayMs, untilMs: performance.now() + delayMs, outcome: kept });
    const [oldest] = this.left.keys();
    if (this.left.size > MOST_REMEMBERED && oldest !== undefined) this.left.delete(oldest);
    this.report.leftPending(item, refusal, delayMs);
  }
}
