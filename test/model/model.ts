import type { ResolvedSubscription } from '../../lib/options/resolved-options.js';
import { isLeased, leaseIdOf } from './lease-id.js';
import type { Message } from '../../lib/consume/message.js';
import { isRedrive, redriveId, streamIdOf } from '../../lib/wire/ids.js';
import { copyOf, emptyState, type State } from './state.js';

/** The member that acts. */
export interface Who {
  readonly name: string;
  readonly token: string;
}

/** How a message's ID and a group's options are represented in the model. */
export type Ids = Pick<
  Message,
  'rowId' | 'entryId' | 'messageId' | 'attempt' | 'hasLeftDeadLetters'
>;

/**
 * What is in Redis, as plain objects, and what nobody stores there: what was published, what was handled, and
 * how often a message was started. The rules of the scripts are in `*.rules.ts`.
 */
export class Model {
  state: State = emptyState();
  /** Entry ID → message ID. */
  published = new Map<string, string>();
  /** Entries whose handler succeeded, whoever ran it. */
  handled = new Set<string>();
  /** Entries whose message was already in the ledger. */
  duplicates = new Set<string>();
  /** Entries that at-most-once acknowledged, and gave to a consumer. */
  begun = new Set<string>();
  /** Message ID → who recorded it with at-most-once, and for which entry: without a lease, this makes the owner. */
  recorded = new Map<string, { readonly token: string; readonly rowId: string }>();
  starts = new Map<string, number>();
  /** Redrives whose commit was refused after their dead letter was removed: the rest is removed later. */
  partlySettled = new Set<string>();
  /** The answers to calls that Redis remembers. */
  answers = new Map<object, unknown>();

  constructor(readonly options: ResolvedSubscription) {}

  get atMostOnce(): boolean {
    return this.options.delivery === 'at-most-once';
  }

  get hasLedger(): boolean {
    return this.options.dedup !== false;
  }

  /** What a call would do can be tried on it. */
  copy(): Model {
    const copy = new Model(this.options);
    copy.state = copyOf(this.state);
    copy.published = new Map(this.published);
    copy.handled = new Set(this.handled);
    copy.duplicates = new Set(this.duplicates);
    copy.begun = new Set(this.begun);
    copy.recorded = new Map(this.recorded);
    copy.starts = new Map(this.starts);
    copy.partlySettled = new Set(this.partlySettled);
    copy.answers = new Map(this.answers);
    return copy;
  }

  /** A refused call has done a part of what it does. */
  adoptPart(found: State): void {
    const { letters } = this.state;
    for (const [id, { rowId }] of Object.entries(letters)) {
      if (id in found.letters) continue;
      this.partlySettled.add(redriveId(id));
      this.handled.add(rowId);
    }
    this.state = found;
  }

  /** A call that Redis remembers has its effects once, and the same answer each time. */
  once<Answer>(call: object, rule: () => Answer): Answer {
    if (!this.answers.has(call)) this.answers.set(call, rule());
    return this.answers.get(call) as Answer;
  }

  /** Whether `who` has the right to settle it. */
  isOf(who: Who, message: Ids): boolean {
    if (isLeased(message, this.options)) return this.holds(who, message);
    return this.atMostOnce || this.owns(who, message);
  }

  holds({ token }: Who, message: Ids): boolean {
    const lease = this.state.leases[leaseIdOf(message, this.options)];
    return lease?.token === token && lease.rowId === message.rowId;
  }

  recordedBy({ token }: Who, { messageId, rowId }: Ids): boolean {
    const record = this.recorded.get(messageId);
    return record?.token === token && record.rowId === rowId;
  }

  owns({ name }: Who, { rowId }: Ids): boolean {
    return this.state.pending[rowId]?.owner === name;
  }

  endLease(message: Ids): void {
    delete this.state.leases[leaseIdOf(message, this.options)];
  }

  /** Nothing of it is left except its record. */
  settle({ rowId }: Pick<Ids, 'rowId'>): void {
    const { pending, letters, retries, attempts } = this.state;
    if (isRedrive(rowId)) delete letters[streamIdOf(rowId)];
    else delete pending[rowId];
    delete retries[rowId];
    delete attempts[rowId];
  }

  /** A run, or a message read for one, did not finish. It is charged only the first time, and if it was alone. */
  cameBack(rowId: string, run: number): void {
    const { used, mark } = this.attemptsOf(rowId);
    const charged = mark === '' || mark === 's' ? Math.max(used, run) : used;
    this.state.attempts[rowId] = { used: charged, mark: mark === '' ? 'c' : 'a' };
  }

  attemptsOf(rowId: string): { used: number; mark: string } {
    return this.state.attempts[rowId] ?? { used: 0, mark: '' };
  }

  runsAlone(rowId: string): boolean {
    return /[as]/.test(this.attemptsOf(rowId).mark);
  }

  /** A run ended: if it started alone, the next one must do so again. */
  endedRun(rowId: string): string {
    const { mark } = this.attemptsOf(rowId);
    return mark === 's' ? 'a' : mark;
  }
}
