import type { Reservation } from '../../redis/scripts/reserve/reserve.script.js';
import type { Outcome } from '../decide.js';
import type { Message, UnreadableEntry } from '../message.js';
import type { Delivery } from './delivery.js';
import type { DeliveryMode } from './mode.js';

/** The deliveries of one stream: entries have that of the stream's mode, and redrives one of their own. */
export class Deliveries {
  constructor(
    private readonly entries: Delivery,
    private readonly redrives: Delivery,
  ) {}

  /** That of the entries. */
  get mode(): DeliveryMode {
    return this.entries.mode;
  }

  of(message: Pick<Message, 'isRedrive'>): Delivery {
    return message.isRedrive ? this.redrives : this.entries;
  }

  /** Reserves a batch, in its order. Outcomes that wait are sent along. */
  async reserve(messages: readonly Message[]): Promise<readonly (Reservation | undefined)[]> {
    this.entries.sendAlong();
    this.redrives.sendAlong();
    const [entries, redrives] = apart(messages);
    if (redrives.length === 0) return (await this.entries.reserve(entries)) ?? [];
    const [ofEntries, ofRedrives] = await Promise.all([
      entries.length === 0 ? [] : this.entries.reserve(entries),
      this.redrives.reserve(redrives),
    ]);
    const answers = new Map<Message, Reservation | undefined>();
    entries.forEach((message, index) => answers.set(message, ofEntries?.[index]));
    redrives.forEach((message, index) => answers.set(message, ofRedrives?.[index]));
    return messages.map((message) => answers.get(message));
  }

  /** Keeps messages ours. Returns those that are not ours any more. */
  async renew(messages: readonly Message[]): Promise<Message[]> {
    const [entries, redrives] = apart(messages);
    const lost = await Promise.all([this.entries.renew(entries), this.redrives.renew(redrives)]);
    return lost.flat();
  }

  settle(message: Message, outcome: Outcome, isFollowed: boolean): Promise<unknown> {
    return this.of(message).settle(message, outcome, isFollowed);
  }

  deadLetterUnreadable(entry: UnreadableEntry): Promise<unknown> {
    return this.of(entry).deadLetterUnreadable(entry);
  }

  acknowledgeDeleted(rowId: string): Promise<void> {
    return this.entries.acknowledgeDeleted(rowId);
  }

  /** Lets others have what was read and not reserved. */
  async giveBackUnreserved(messages: readonly Message[]): Promise<void> {
    const [entries, redrives] = apart(messages);
    await Promise.all([
      this.entries.giveBackUnreserved(entries),
      this.redrives.giveBackUnreserved(redrives),
    ]);
  }

  /** Sends what waits now. */
  flush(): void {
    this.entries.flush();
    this.redrives.flush();
  }

  /** Sends what waits, and resolves once everything is recorded or given up on. */
  async drained(): Promise<void> {
    await Promise.all([this.entries.drained(), this.redrives.drained()]);
  }
}

/** Entries and redrives, each in their order. */
function apart(messages: readonly Message[]): readonly [readonly Message[], readonly Message[]] {
  // Most often there are no redrives.
  if (!messages.some(({ isRedrive }) => isRedrive)) return [messages, []];
  return [
    messages.filter(({ isRedrive }) => !isRedrive),
    messages.filter(({ isRedrive }) => isRedrive),
  ];
}
