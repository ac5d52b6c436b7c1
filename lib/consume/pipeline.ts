import { LeaseLostError } from '../errors/handler.errors.js';
import { ConnectionClosedError } from '../errors/redis.errors.js';
import type { ResolvedSubscription } from '../options/resolved-options.js';
import type { RawEntry } from '../redis/read/replies.js';
import type { StreamKeys } from '../wire/stream-keys.js';
import {
  decide,
  decideUsedUp,
  type FailurePolicy,
  GIVE_BACK,
  isUsedUp,
  type Outcome,
} from './decide.js';
import { type Arrival, type Decoder, givenEntryId, isUnreadable } from './decoder.js';
import type { Deliveries } from './delivery/deliveries.js';
import type { DeliveryMode } from './delivery/mode.js';
import type { DueRoom } from './due-room.js';
import type { HandlerRunner } from './handlers/handler-runner.js';
import type { RequestRuns } from './handlers/request-runs.js';
import { isWorthARead, type Load, MOST_AT_ONCE, roomFor } from './load.js';
import { InHand, type Message } from './message.js';
import type { Sequencer } from './order/sequencer.js';
import type { Gate } from './quarantine.js';
import type { ReadAheadBytes } from './read-ahead-bytes.js';
import type { RefusedMessages } from './refused-messages.js';
import type { Report } from './report.js';
import type { Slots } from './slots.js';
import type { StreamPlace } from './stream-place.js';
import type { Demand } from './waiting.js';

/**
 * The life of one stream's messages in this process: decode, order, reserve, run, decide, settle.
 *
 * The pipeline calls its parts and the parts return; none of them knows the pipeline. What depends on the delivery mode is in
 * `deliveries`, what depends on order is in `sequencer`. A partition has one pipeline for each turn of owning it.
 */
export class Pipeline {
  readonly inHand = new InHand();
  /** Whether it is ending: what is offered now is given back. Only the pipeline sets it. */
  takesNothing = false;
  /** Whether a blocking read covers the stream: then room is looked at when the read is over. */
  isAwaited = false;
  /** Whether the app is closing, and not only this partition moving: then a failure is not charged. */
  isAppClosing = false;
  private startsNothing = false;
  /** Another member owns the partition. */
  private isLost = false;
  private drained: Promise<void> | undefined;
  private reserving: Promise<void> | undefined;
  private beingReserved = 0;
  private isGateAwaited = false;
  /** Messages whose reservation is too old to start under: they are reserved again, before any others. */
  private readonly stale: Message[] = [];
  /** Answers that are on their way to the callers of requests, which are recorded after them. */
  private readonly answering = new Map<Message, Promise<unknown>>();
  private readonly policies: { readonly events: FailurePolicy; readonly requests: FailurePolicy };

  constructor(
    readonly place: StreamPlace,
    private readonly decoder: Decoder,
    private readonly sequencer: Sequencer,
    readonly deliveries: Deliveries,
    private readonly slots: Slots,
    private readonly handlers: HandlerRunner,
    private readonly requests: RequestRuns,
    private readonly report: Report,
    private readonly refused: RefusedMessages,
    private readonly demand: Demand,
    readonly due: DueRoom,
    readonly bytes: ReadAheadBytes,
  ) {
    const { retry, requestRetry, unhandled } = this.options;
    const events = { triesAgain: deliveries.mode.triesAgain, retry, unhandled };
    this.policies = { events, requests: { ...events, retry: requestRetry } };
  }

  get keys(): StreamKeys {
    return this.place.keys;
  }

  get options(): ResolvedSubscription {
    return this.place.consumed.options;
  }

  /** Whether a message that waits for a retry lets nothing pass. */
  get retriesBlock(): boolean {
    return this.options.retry.blocking || this.options.requestRetry.blocking;
  }

  get runningCount(): number {
    return this.slots.taken;
  }

  /** Messages that closing now would lose or repeat. */
  get unsettledCount(): number {
    return !this.deliveries.mode.triesAgain ? this.inHand.size : this.slots.taken;
  }

  /** How many more entries a source may bring now. */
  get room(): number {
    return this.takesNothing ? 0 : Math.min(roomFor(this.load, this), this.sequencer.room);
  }

  /** Whether there is enough room to be worth a read of new entries. */
  get wantsRead(): boolean {
    return this.sequencer.takesNew && this.isWorthARead && this.sequencer.room > 0;
  }

  get isWorthARead(): boolean {
    return !this.takesNothing && isWorthARead(this.load, this);
  }

  /**
   * Takes entries that Redis has given to this consumer, in stream order.
   *
   * @param notDueYet of the pending entries that a partition's new owner claims: those whose retry is not due yet
   */
  offer(
    entries: readonly RawEntry[],
    arrival: Arrival = { isNew: false },
    notDueYet?: ReadonlySet<string>,
  ): void {
    const messages: Message[] = [];
    const { size, bytes } = this.inHand;
    for (const entry of entries) {
      if (this.refused.isLeft(entry.id)) continue;
      const isAgain = this.inHand.has(entry.id);
      if (isAgain && (notDueYet !== undefined || !this.sequencer.wantsAgain(entry.id))) continue;
      const given = givenEntryId(entry);
      if (given !== undefined) this.place.position.noteGiven(given);
      const message = this.decoder.decode(entry, arrival);
      this.inHand.add(entry.id, message?.bytes ?? 0);
      if (message === undefined) {
        void this.acknowledgeDeleted(entry.id);
      } else if (isUnreadable(message)) {
        void this.refused.deadLetterUnreadable(message).then(() => this.drop(message));
      } else {
        this.report.received(message);
        messages.push(message);
      }
    }
    this.bytes.note(this.inHand.size - size, this.inHand.bytes - bytes);
    if (messages.length === 0) return;
    if (this.takesNothing) return this.giveBackUnreserved(messages);
    this.sequencer.add(messages, notDueYet);
    this.reserveNext();
    this.report.heldFull(this.sequencer, this.keys.stream);
  }

  /** The order has changed, or Redis no longer refuses the stream: more may run, and more may be read. */
  goOn(): void {
    this.startWaiting();
    this.reserveNext();
    this.offerRoom();
  }

  /** A message is not in Redis any more: it is done with here. */
  forget(rowId: string): void {
    this.drop({ rowId });
  }

  /** Whether a row is in hand, or was left pending because Redis refuses it. */
  knows(rowId: string): boolean {
    return this.inHand.has(rowId) || this.refused.isLeft(rowId);
  }

  /** Resolves once all that was offered is reserved. */
  async reserved(): Promise<void> {
    await this.reserving;
  }

  /** Keeps what runs and what waits ours. What is not ours any more is told to end, or does not start. */
  async renew(): Promise<void> {
    const all = [...this.slots.all(), ...this.answering.keys()];
    const askedFor = new Map(all.map((message) => [message, message.leasedAt]));
    for await (const message of this.deliveries.renew(all)) {
      // It was reserved again meanwhile: the answer is about its earlier lease.
      if (message.leasedAt !== askedFor.get(message)) continue;
      if (this.deliveries.modeOf(message).isOnlyOurs(message)) continue;
      this.tellLost(message);
      this.leaveToOthers(message);
    }
  }

  /** Takes nothing more. What is reserved still runs if it cannot be given back; all else is given back. */
  stop(isAppClosing = true): void {
    this.isAppClosing = isAppClosing;
    this.takesNothing = true;
    this.giveBackUnreserved(this.sequencer.stop());
    if (!this.deliveries.mode.canGiveBack) return this.startWaiting();
    this.startsNothing = true;
    this.slots.stop();
    for (const message of this.stale.splice(0)) this.refuse(message);
  }

  /** Stops, gives back what did not start, and resolves once what runs has ended and is settled. */
  drain(): Promise<void> {
    this.drained ??= this.drainOnce();
    return this.drained;
  }

  /** Time is up: tells running handlers to end, and gives back what did not start. */
  async giveUp(): Promise<void> {
    this.startsNothing = true;
    this.slots.stop();
    this.slots.abort(new ConnectionClosedError('a handler'));
    this.giveWaitingBack();
    this.report.stillRunning(this.slots.taken);
    await this.settled();
  }

  /** Another member owns the partition: running handlers are told to end, and what waits is left to that member. */
  lose(): void {
    this.isLost = true;
    this.takesNothing = true;
    this.startsNothing = true;
    this.sequencer.stop();
    this.slots.stop();
    for (const message of this.slots.all()) this.tellLost(message);
    const waiting = [...this.stale.splice(0), ...this.slots.takeWaiting()];
    for (const message of waiting) this.refuse(message);
  }

  private async drainOnce(): Promise<void> {
    if (!this.takesNothing) this.stop();
    // What is refused for good holds up neither a partition's next owner nor the end.
    this.deliveries.end();
    await this.reserving;
    if (this.startsNothing) this.giveWaitingBack();
    await this.slots.emptied();
    this.startsNothing = true;
    await this.settled();
  }

  private get hasNext(): boolean {
    return this.stale.length > 0 || this.sequencer.hasNext;
  }

  /** Reserves what may run next, one batch after the other, so that messages stay in their order. */
  private reserveNext(): void {
    if (this.hasNext) this.reserving ??= this.reserveBatches();
  }

  private async reserveBatches(): Promise<void> {
    // What is offered in the same turn is taken first.
    await Promise.resolve();
    while (this.hasNext) {
      const isStale = this.stale.length > 0;
      const batch = isStale ? this.stale.splice(0, MOST_AT_ONCE) : this.sequencer.takeNext();
      this.beingReserved = batch.length;
      const clockIsRead = this.requests.readClockFor(batch);
      await this.deliveries.reserve(batch);
      await clockIsRead;
      this.beingReserved = 0;
      this.take(batch, isStale);
    }
    this.reserving = undefined;
  }

  /** Starts what is ours of a batch. */
  private take(batch: readonly Message[], wasStale: boolean): void {
    const ours: Message[] = [];
    const postponed: Message[] = [];
    for (const message of batch) {
      switch (message.reservation) {
        case 'new':
          if (this.startsNothing) this.refuse(message);
          else if (!this.endsUnrun(message)) ours.push(message);
          break;
        case 'postponed':
          postponed.push(message);
          break;
        case 'duplicate':
          this.drop(message);
          this.report.duplicate(message);
          this.requests.refuseDuplicate(message);
          break;
        case 'leased-elsewhere':
          this.drop(message, 0);
          break;
        case 'refused':
          void this.refused.giveUpUnreserved(message).then(() => this.drop(message));
          break;
        default:
          // The connections are closed, or the stream is refused: it stays pending.
          this.drop(message);
      }
    }
    if (postponed.length > 0) this.postpone(postponed);
    // If messages before these have to be reserved again meanwhile, these follow them.
    if (!wasStale && this.stale.length > 0) return void this.stale.push(...ours);
    const moreComes = this.isAwaited || this.hasNext;
    const start = this.slots.add(ours, moreComes);
    if (start === 'now') this.startWaiting();
    else void start?.then(() => this.startWaiting());
    this.offerRoom();
  }

  /** Ends a message that does not run: its outcome could not be recorded before, or it has no attempt left. */
  private endsUnrun(message: Message): boolean {
    const known = this.refused.outcomeOf(message.rowId);
    if (known === undefined && !isUsedUp(message, this.policyFor(message))) return false;
    const outcome = known ?? decideUsedUp(message);
    if (known === undefined) this.report.outcome(message, outcome);
    void this.settle(message, outcome);
    return true;
  }

  /** Something that is pending for another member comes first. */
  private postpone(messages: readonly Message[]): void {
    if (this.takesNothing) this.giveBackUnreserved(messages);
    else this.sequencer.putBack(messages);
  }

  /** Starts messages while there are slots. What was reserved too long ago is reserved again first. */
  private startWaiting(): void {
    // What cannot be given back runs even so once the consumer closes.
    if (this.place.isSetAside && !this.takesNothing) return;
    for (let message = this.slots.next; message !== undefined; message = this.slots.next) {
      const nowMs = performance.now();
      if (!this.deliveries.modeOf(message).isLive(message, nowMs)) return this.reserveAgain();
      const gate = this.slots.closedGate(message);
      if (gate !== undefined) return void this.awaitGate(gate);
      void this.runToEnd(message, nowMs);
    }
  }

  private async awaitGate(gate: Gate): Promise<void> {
    if (this.isGateAwaited) return;
    this.isGateAwaited = true;
    await gate.opened();
    this.isGateAwaited = false;
    this.startWaiting();
    gate.endOffer();
  }

  private reserveAgain(): void {
    this.stale.push(...this.slots.takeReady());
    this.reserveNext();
  }

  /** One message, from its start to its acknowledgement. */
  private async runToEnd(message: Message, nowMs: number): Promise<void> {
    const signal = this.slots.start(message, nowMs);
    const mode = this.deliveries.modeOf(message);
    const mustPrepare = mode.mustRecordStart(message) || this.requests.mustAsk(message);
    if (mustPrepare && !(await this.prepareStart(message, mode))) return this.doNotStart(message);
    const startedAtMs = mustPrepare ? performance.now() : nowMs;
    this.report.started(message, startedAtMs);
    const verdict = await this.handlers.run(message, signal);
    const endedAtMs = performance.now();
    this.report.ended(message, verdict, endedAtMs - startedAtMs);
    if (this.isLost && verdict.kind !== 'handled' && !mode.isOnlyOurs(message)) {
      return this.ignoreFailure(message, endedAtMs);
    }
    const isClosing = this.startsNothing && this.isAppClosing;
    const outcome = decide(message, verdict, this.policyFor(message), isClosing);
    this.report.decided(message, verdict, outcome, isClosing);
    if (outcome.kind === 'retry' && outcome.inPlace && !this.startsNothing) {
      return this.retryInPlace(message, outcome.delayMs, endedAtMs);
    }
    // If the next message kills the process, Redis must already know that this one ended, or it is blamed.
    if (message.runsAlone) {
      const settled = this.settle(message, outcome);
      this.deliveries.flush();
      await settled;
    }
    this.slots.end(message, endedAtMs);
    this.startWaiting();
    if (!message.runsAlone) void this.settle(message, outcome);
    this.afterRun();
  }

  /** Does what must be done before it starts. @returns whether it may: it may have been lost, or everything stopped, meanwhile */
  private async prepareStart(message: Message, mode: DeliveryMode): Promise<boolean> {
    if (this.requests.mustAsk(message)) await this.requests.askCallers(this.slots.all());
    if (mode.mustRecordStart(message) && !(await this.deliveries.recordStart(message)))
      return false;
    return mode.isOnlyOurs(message) || (!this.startsNothing && mode.isLive(message));
  }

  /** Waits in the slot for the next attempt: nothing of the stream starts before it. The attempt is counted first. */
  private async retryInPlace(message: Message, delayMs: number, endedAtMs: number): Promise<void> {
    message.replies?.stop();
    this.slots.hold(message, delayMs, endedAtMs);
    const isCounted = await this.deliveries.countAttempt(message);
    if (isCounted === undefined && message.refusal === undefined) return;
    if (isCounted !== true) return this.leaveToOthers(message);
    message.attempt++;
    if (await this.slots.pause(message, delayMs)) this.startWaiting();
  }

  private doNotStart(message: Message): void {
    this.slots.end(message);
    const mode = this.deliveries.modeOf(message);
    if (!this.startsNothing && !mode.mustRecordStart(message) && !mode.isLive(message)) {
      // Its reservation became too old meanwhile: it is reserved again, before those that came after it.
      this.stale.push(message);
      return this.reserveAgain();
    }
    this.startWaiting();
    void this.settle(message, GIVE_BACK);
    this.afterRun();
  }

  /** A late failure in a partition that another member owns: it runs the message again. */
  private ignoreFailure(message: Message, endedAtMs: number): void {
    message.replies?.stop();
    this.slots.end(message, endedAtMs);
    this.drop(message);
    this.afterRun();
  }

  private afterRun(): void {
    this.offerRoom();
    // Nothing runs, so no other outcome comes to share the write.
    if (this.slots.taken === 0 && this.load.readAhead === 0) this.deliveries.flush();
  }

  /** Records what became of a message. A request is recorded once its caller has been answered. Never rejects. */
  private async settle(message: Message, outcome: Outcome): Promise<void> {
    const answered = this.requests.conclude(message, outcome);
    if (answered !== undefined) {
      this.answering.set(message, answered);
      const reply = await answered;
      this.answering.delete(message);
      if (reply === 'closed') return;
    }
    const isFollowed = this.slots.runsSynchronously && (this.hasNext || this.beingReserved > 0);
    const isSettled = await this.deliveries.settle(message, outcome, isFollowed);
    if (outcome.kind === 'give-back' && isSettled === false) this.report.lost(message);
    const isRefused = message.refusal !== undefined;
    if (!isRefused) this.refused.forget(message.rowId);
    else if (outcome.kind !== 'give-back') await this.refused.giveUp(message, outcome);
    this.drop(message, outcome.kind === 'retry' && !isRefused ? outcome.delayMs : undefined);
  }

  /** Done with it here: the next message of its key may run. */
  private drop({ rowId }: { readonly rowId: string }, againInMs?: number): void {
    if (!this.sequencer.done(rowId, againInMs)) this.inHand.remove(rowId);
    this.reserveNext();
    this.offerRoom();
  }

  /** Another consumer has it, or may have it: it is not started. */
  private leaveToOthers(message: Message): void {
    if (!this.slots.removeWaiting(message)) return;
    this.drop(message);
    this.startWaiting();
  }

  /** A reserved message does not start here. */
  private refuse(message: Message): void {
    if (!this.isLost) return void this.settle(message, GIVE_BACK);
    this.inHand.remove(message.rowId);
    if (this.deliveries.modeOf(message).isOnlyOurs(message)) this.report.lost(message);
  }

  private tellLost(message: Message): void {
    this.slots.abort(new LeaseLostError(this.place.consumed.stream, message.entryId), message);
  }

  private giveWaitingBack(): void {
    for (const message of this.slots.takeWaiting()) void this.settle(message, GIVE_BACK);
  }

  /** If the partition is lost, its new owner claims them. */
  private giveBackUnreserved(messages: readonly Message[]): void {
    if (this.isLost) return;
    void this.deliveries.giveBackUnreserved(messages).then(() => {
      for (const { rowId } of messages) this.inHand.remove(rowId);
    });
  }

  /** The entry was deleted while it was pending: nothing of it is left to handle or to keep. */
  private async acknowledgeDeleted(rowId: string): Promise<void> {
    if (await this.deliveries.acknowledgeDeleted(rowId)) this.report.deleted(rowId);
    this.drop({ rowId });
  }

  /** Resolves once everything that has ended is recorded or given up on. */
  async settled(): Promise<void> {
    await this.deliveries.drained();
    while (this.answering.size > 0) {
      await Promise.all(this.answering.values());
      await this.deliveries.drained();
    }
  }

  private offerRoom(): void {
    if (this.due.isBehind && this.wantsRead) this.due.raise(this.keys.stream);
    if (this.due.isBehind || !this.sequencer.takesNew) this.sequencer.noteRoom();
    if (!this.isAwaited && this.wantsRead) this.demand.raise(this.keys.stream);
  }

  private policyFor({ request }: Message): FailurePolicy {
    return request === undefined ? this.policies.events : this.policies.requests;
  }

  get load(): Load {
    return this.sequencer.adjust({
      taken: this.slots.taken,
      readAhead: this.slots.waiting + this.stale.length + this.beingReserved,
      runsSynchronously: this.slots.runsSynchronously,
      readAheadLimit: this.slots.readAheadLimit,
      inFlight: this.inHand.size,
      sources: this.due.sources,
      aheadBytes: this.inHand.bytes - this.slots.takenBytes - this.sequencer.heldBytes,
    });
  }
}
