import { ConnectionClosedError } from '../errors/redis.errors.js';
import { LeaseLostError } from '../errors/handler.errors.js';
import { isRedrive } from '../wire/redrive-member.js';
import type { StreamKeys } from '../wire/stream-keys.js';
import type { ResolvedSubscription } from '../options/resolved-options.js';
import type { RawEntry } from '../redis/read/replies.js';
import * as text from './consumer.messages.js';
import { Arrivals } from './arrivals.js';
import { EntriesInHand } from './entries-in-hand.js';
import { stepFaults } from './step-faults.js';
import { HandlerSlots } from './handler-slots.js';
import { Intake } from './intake.js';
import { Outcomes } from './outcomes.js';
import type { Reservation } from '../redis/scripts/reserve/reservation.js';
import { type FlowLoad, isWorthARead, roomFor } from './flow-room.js';
import { Reserver } from './reserver.js';
import { Settler } from './settler.js';
import type { StreamFlowParts } from './stream-flow.parts.js';
import type { AsNew, StreamMessage } from './stream-message.js';
import type { Verdict } from './verdict.js';

/**
 * The way of one stream's entries through this consumer: decode, reserve, handle, settle, with as many running and
 * read ahead as its options and its pace allow.
 */
export class StreamFlow {
  readonly stream: string;
  readonly keys: StreamKeys;
  readonly options: ResolvedSubscription;
  /** Whether this consumer has the stream to itself: then nobody else's entries are looked for from time to time. */
  readonly isOwned: boolean = false;
  readonly inHand = new EntriesInHand();
  /** Whether the blocked read covers it: room that comes up meanwhile is looked at when that is over. */
  isAwaited = false;
  protected stopped = false;
  protected readonly slots: HandlerSlots;
  protected readonly settler: Settler;
  protected readonly intake: Intake;
  protected readonly outcomes: Outcomes;
  protected readonly arrivals: Arrivals;
  private readonly reserver: Reserver;
  private onIdle: (() => void) | undefined;

  constructor(protected readonly parts: StreamFlowParts) {
    ({ stream: this.stream, keys: this.keys, options: this.options } = parts);
    const toldOfFaults = stepFaults(parts.logger, parts.stream);
    this.outcomes = new Outcomes({
      ...parts,
      settler: () => this.settler,
      holdBack: (message, delayMs) => void this.holdBack(message, delayMs),
    });
    this.arrivals = new Arrivals(parts, this.inHand, this.outcomes);
    this.reserver = new Reserver(parts);
    this.intake = new Intake({
      reserver: parts.requests.withClock(this.reserver),
      signal: parts.signal,
      ...toldOfFaults,
      onSending: () => this.settler.sendAlong(),
      onAnswers: (messages, answers) => this.takeOurs(messages, answers),
    });
    this.slots = new HandlerSlots({
      ...parts,
      invoke: parts.requests.around(parts.invoke),
      onEnded: (message, verdict) => this.settle(message, verdict),
      announceAlone: (message) => this.settler.startAlone(message),
      startRedrive: (message) => this.settler.startRedrive(message),
      whenSettled: () => this.settler.drained(),
      moreComes: () => this.isAwaited || this.intake.entering > 0,
      onStale: (messages) => this.intake.add(messages),
      onNotStarted: (message) => this.giveBack(message),
    });
    this.settler = new Settler({
      ...parts,
      ...toldOfFaults,
      onRetry: (message, delayMs) => this.putOff(message, delayMs),
      onSettled: (entryIds) => this.leave(entryIds),
      onLost: (message) => this.outcomes.lost(message),
      sendsSoon: () => this.intake.entering > 0 && this.slots.passes,
    });
  }

  /** Whoever renews, settles or hands over what this flow has reserved must name this holder. */
  get holder(): string {
    return this.parts.token;
  }

  /**
   * Whether an entry that is pending for a consumer that is gone counts as a run that did not finish. With a ledger leases
   * tell of runs, and at-most-once acknowledges before it runs.
   */
  get pendingMeansStarted(): boolean {
    return this.options.dedup === false && this.options.delivery === 'at-least-once';
  }

  /** How many messages are running. */
  get runningCount(): number {
    return this.slots.taken;
  }

  /** Unfinished messages that Redis may no longer list as pending: at-most-once has acknowledged them. */
  get unsettledCount(): number {
    return this.options.delivery === 'at-most-once' ? this.inHand.size : this.slots.taken;
  }

  /** How many entries may be brought now. */
  get room(): number {
    return this.stopped ? 0 : roomFor(this.load, this.options);
  }

  get wantsRead(): boolean {
    return !this.stopped && isWorthARead(this.load, this.options);
  }

  /** What Redis's clock showed when it answered last, in ms; nothing where that is not known. */
  get shownMs(): number | undefined {
    return this.reserver.shownMs;
  }

  /**
   * Takes entries in: new ones, or ones of before, in the order in which they are to run.
   *
   * @param asNew of those that Redis has just given out for the first time
   */
  accept(entries: readonly RawEntry[], asNew?: AsNew): void {
    const messages: StreamMessage[] = [];
    for (const entry of entries) {
      if (this.inHand.has(entry.id)) continue;
      const message = this.arrivals.messageOf(entry, asNew);
      if (message !== undefined) messages.push(message);
    }
    if (messages.length > 0) this.intake.add(messages);
  }

  /** Fulfilled once all that was taken in is reserved, or not to be had. */
  readonly taken = (): Promise<void> => this.intake.done();

  /** The messages that run, or are about to. */
  held(): StreamMessage[] {
    return this.slots.all();
  }

  /** Another consumer has the message, or may have it: what did not start is left to it, what runs is told. */
  leaseLost(message: StreamMessage): void {
    this.slots.abort(new LeaseLostError(this.stream, message.originalEntryId), message);
    // At-most-once has acknowledged an entry: nobody else will have it.
    if (this.options.delivery === 'at-most-once' && !isRedrive(message.entryId)) return;
    this.leaveToOthers(message);
  }

  /** Begins nothing more. */
  stop(): void {
    const { delivery, dedup } = this.options;
    // It has acknowledged what it read, and without a ledger there is no way back.
    if (delivery === 'at-most-once' && dedup === false) return;
    this.stopped = true;
    this.slots.stop();
  }

  /** Stops. Fulfilled once nothing runs; what did not start goes to the group at once. */
  async drain(): Promise<void> {
    this.stop();
    await this.intake.done();
    if (this.stopped) this.giveWaitingBack();
    if (!this.isIdle) await new Promise<void>((resolve) => (this.onIdle = resolve));
    this.stopped = true;
    await this.settler.drained();
  }

  /** Time is up: tells running handlers, and gives up what did not start. */
  async giveUp(): Promise<void> {
    const { stream, logger } = this.parts;
    this.stopped = true;
    this.slots.stop();
    this.slots.abort(new ConnectionClosedError('a handler'));
    this.giveWaitingBack();
    if (this.slots.taken > 0) logger.warn(text.stillRunning(stream, this.slots.taken));
    await this.settler.drained();
  }

  protected get load(): FlowLoad {
    const { taken, passes, mayWait } = this.slots;
    return { taken, passes, mayWait, readAhead: this.readAhead, inFlight: this.inHand.size };
  }

  protected get readAhead(): number {
    return this.slots.waiting + this.intake.entering;
  }

  private get isIdle(): boolean {
    return this.slots.taken + this.slots.waiting === 0;
  }

  /** Runs what is ours; what is not is counted and forgotten, and what used up its attempts in crashes given up. */
  protected takeOurs(
    messages: readonly StreamMessage[],
    answers: readonly Reservation[] | undefined,
  ): void {
    const ours = messages.filter((message, index) => {
      const kind = answers?.[index]?.kind;
      if (kind === 'duplicate') this.outcomes.duplicate(message);
      if (kind !== 'new') this.forget(message, kind);
      else if (this.outcomes.isUsedUp(message)) this.outcomes.giveUp(message);
      else return true;
      return false;
    });
    this.slots.add(ours);
    this.offerRoom();
  }

  /** It failed, and is about to be put off. */
  protected putOff(_message: StreamMessage, _delayMs: number): void {}

  protected leave(entryIds: readonly string[]): void {
    for (const entryId of entryIds) this.inHand.remove(entryId);
    this.offerRoom();
  }

  /** Whether the app is going down, so that a failure may be its doing. */
  protected get isClosing(): boolean {
    return this.stopped;
  }

  protected settle(message: StreamMessage, verdict: Verdict): void {
    this.outcomes.record(message, verdict, this.isClosing);
    this.afterRun();
  }

  /** It ran, and its outcome is not recorded. */
  protected forgetRun(message: StreamMessage): void {
    message.replies?.stop();
    this.leave([message.entryId]);
    this.afterRun();
  }

  private afterRun(): void {
    this.offerRoom();
    if (this.slots.taken > 0) return;
    // Nothing runs that could be settled together with it.
    if (this.readAhead === 0) this.settler.flush();
    if (this.stopped || this.isIdle) this.onIdle?.();
  }

  /** It waits for its next attempt in its slot; the attempt is counted before the wait begins. */
  protected async holdBack(message: StreamMessage, delayMs: number): Promise<void> {
    this.slots.hold(message, delayMs);
    const kept = await this.settler.countAttempt(message);
    if (kept === undefined) return;
    if (!kept) return this.leaveToOthers(message);
    message.attempt++;
    this.slots.runLater(message, delayMs);
  }

  /** What waited for its turn is another consumer's now. */
  private leaveToOthers(message: StreamMessage): void {
    if (this.slots.removeWaiting(message)) this.forget(message);
  }

  private giveBack(message: StreamMessage): void {
    this.settler.giveBack(message);
    if (this.stopped || this.isIdle) this.onIdle?.();
  }

  private giveWaitingBack(): void {
    for (const message of this.slots.takeWaiting()) this.settler.giveBack(message);
  }

  protected forget({ entryId }: StreamMessage, _why?: Reservation['kind']): void {
    this.inHand.remove(entryId);
  }

  protected offerRoom(): void {
    if (!this.isAwaited && this.wantsRead) this.parts.onRoom(this.keys.stream);
  }
}
