import type { ResolvedSubscription } from '../../lib/options/resolved-options.js';
import { isLeased, leaseIdOf } from './lease-id.js';
import type { Message } from '../../lib/consume/message.js';
import { isRedrive, streamIdOf } from '../../lib/wire/redrive-member.js';
import { emptyState, type State } from './state.js';

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
  readonly published = new Map<string, string>();
  /** Entries whose handler succeeded, whoever ran it. */
  readonly handled = new Set<string>();
  /** Entries whose message was already in the ledger. */
  readonly duplicates = new Set<string>();
  /** Entries that at-most-once acknowledged, and gave to a consumer. */
  readonly begun = new Set<string>();
  /** Message ID → who recorded it with at-most-once, and for which entry: without a lease, this makes the owner. */
  readonly recorded = new Map<string, { readonly token: string; readonly rowId: string }>();
  readonly starts = new Map<string, number>();

  constructor(readonly options: ResolvedSubscription) {}

  get atMostOnce(): boolean {
    return this.options.delivery === 'at-most-once';
  }

  get hasLedger(): boolean {
    return this.options.dedup !== false;
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
