import { renewScript } from '../../redis/scripts/reserve/renew.script.js';
import { reserveWithoutLedgerScript } from '../../redis/scripts/reserve/reserve-without-ledger.script.js';
import { type Reservation, reserveScript } from '../../redis/scripts/reserve/reserve.script.js';
import {
  startAloneScript,
  startRedriveScript,
} from '../../redis/scripts/reserve/start-run.script.js';
import type { ScriptRunner } from '../../redis/scripts/script.js';
import {
  acknowledgeDeletedScript,
  commitRedrivesScript,
  commitScript,
} from '../../redis/scripts/settle/commit.script.js';
import { deadLetterScript } from '../../redis/scripts/settle/dead-letter.script.js';
import { handOverScript } from '../../redis/scripts/settle/hand-over.script.js';
import { putBackScript } from '../../redis/scripts/settle/put-back.script.js';
import { scheduleRetryScript } from '../../redis/scripts/settle/schedule-retry.script.js';
import type { RawFields } from '../../wire/codec.js';
import { type DeadLetterCause, deadLetterFields } from '../../wire/dead-letter-fields.js';
import { boundsOf, type Holder, type LeaseId, type MessageId, type RowId } from '../../wire/ids.js';
import { callKey, lastBatchKey, type StreamKeys } from '../../wire/stream-keys.js';
import type { Message, UnreadableEntry } from '../message.js';

/** At-most-once has no lease by which a call that is sent again would be recognized: the call itself is remembered so long. */
const CALL_KNOWN_MS = 3_600_000;

/** Where messages are claimed, and by whom. */
export interface ClaimPlace {
  readonly stream: string;
  readonly keys: StreamKeys;
  readonly group: string;
  readonly consumer: string;
  readonly holder: Holder;
  readonly leaseMs: number;
  /** If it is a partition: the key that says who owns it. */
  readonly ownerKey?: string | undefined;
}

/** Under what the lease of a message is kept. */
export type LeaseIdOf = (message: Pick<Message, 'rowId' | 'messageId'>) => LeaseId;

/** One lease for each message ID: two entries with the same ID do not run at the same time. */
export const byMessageId: LeaseIdOf = ({ messageId }) => messageId as string as LeaseId;

/** Without a ledger one message ID may run twice: a redrive must not meet the lease of another. */
export const byRowId: LeaseIdOf = ({ rowId }) => rowId as string as LeaseId;

/** A message that failed, and when its next attempt is due. */
export interface Retry {
  readonly message: Message;
  readonly delayMs: number;
}

/** How the reserve script treats a batch. */
interface ReserveTerms {
  /** The ledger's window; 0 if there is no ledger. */
  readonly windowMs: number;
  /** `recorded`: at-most-once writes them into the ledger and acknowledges them; all others get leases. */
  readonly mode: 'leased' | 'recorded' | 'redrives' | 'redrives-once';
  readonly leaseIdOf: LeaseIdOf;
}

/** What proves that a message is the caller's. */
export interface Proof {
  /** Its lease, its pending entry, or that it is acknowledged. */
  readonly fence: 'lease' | 'pending' | 'acknowledged';
  /** Whether the ledger has it. */
  readonly inLedger: boolean;
}

interface NewDeadLetter
  extends Proof, Pick<DeadLetterCause, 'reason' | 'error' | 'attempts' | 'entryId'> {
  readonly rowId: RowId;
  readonly leaseId: LeaseId;
  readonly fields: RawFields;
  readonly maxLength: number | undefined;
  /** Whether what is large is left out. */
  readonly isShort: boolean;
}

/** The scripts that reserve and settle the messages of one stream: identities become text here, and nowhere else. */
export class DeliveryScripts {
  /** What Redis's clock showed in the last answer, in ms. */
  shownMs: number | undefined;
  private readonly numbers = new CallNumbers();

  constructor(
    private readonly runner: ScriptRunner,
    readonly place: ClaimPlace,
  ) {}

  get isPartition(): boolean {
    return this.place.ownerKey !== undefined;
  }

  async reserve(messages: readonly Message[], terms: ReserveTerms): Promise<Reservation[]> {
    const { keys, group, consumer, holder, leaseMs } = this.place;
    const { windowMs, mode, leaseIdOf } = terms;
    const isRecorded = mode === 'recorded';
    const areRedrives = mode === 'redrives' || mode === 'redrives-once';
    const rowIds = messages.map(({ rowId }) => rowId);
    const [lowest, highest] = areRedrives ? ['', ''] : boundsOf(rowIds);
    const { shownMs, reservations } = await this.runner.run(
      reserveScript,
      [
        keys.stream,
        keys.ledger,
        keys.leases,
        keys.retries,
        keys.position,
        keys.attempts,
        keys.deadLetters,
        keys.packedLedger,
        lastBatchKey(keys, holder),
        ...this.ownerKeys,
      ],
      [
        group,
        holder,
        leaseMs,
        windowMs,
        isRecorded || mode === 'redrives-once' ? 1 : 0,
        highest,
        JSON.stringify(rowIds),
        JSON.stringify(messages.map(leaseIdOf)),
        areRedrives ? 1 : 0,
        consumer,
        lowest,
        givenSince(messages),
        // What is recorded has no lease: Redis remembers the answer instead.
        isRecorded ? this.numbers.of(messages) : '',
      ],
    );
    this.shownMs = shownMs;
    if (isRecorded) for (const message of messages) message.recordedMs = shownMs;
    return reservations;
  }

  reserveWithoutLedger(messages: readonly Message[], isOnce: boolean): Promise<Reservation[]> {
    const { keys, group, consumer, holder } = this.place;
    const rowIds = messages.map(({ rowId }) => rowId);
    return this.runner.run(
      reserveWithoutLedgerScript,
      [keys.stream, keys.attempts, keys.position, ...this.ownerKeys],
      [group, isOnce ? 1 : 0, boundsOf(rowIds)[1], JSON.stringify(rowIds), consumer, holder],
    );
  }

  startAlone({ rowId }: Message, leaseId: LeaseId, hasLease: boolean): Promise<boolean> {
    const { keys, group, consumer } = this.place;
    return this.runner.run(
      startAloneScript,
      [keys.stream, keys.leases, keys.attempts],
      [group, consumer, this.fence(hasLease), rowId, leaseId],
    );
  }

  /** At-most-once: the dead letter of a redrive goes when its handler starts. */
  startRedrive(message: Message, leaseId: LeaseId, hasLedger: boolean): Promise<boolean> {
    const { keys, holder } = this.place;
    const { ledger, leases, retries, attempts, deadLetters } = keys;
    return this.runner.run(
      startRedriveScript,
      [ledger, leases, retries, attempts, deadLetters, this.callKeyOf(message)],
      [holder, hasLedger ? 1 : 0, message.rowId, message.messageId, leaseId, CALL_KNOWN_MS],
    );
  }

  renew(
    messages: readonly Message[],
    leaseIdOf: LeaseIdOf,
    hasLedger: boolean,
  ): Promise<boolean[]> {
    const { keys, group, consumer, holder, leaseMs } = this.place;
    return this.runner.run(
      renewScript,
      [keys.stream, keys.leases, keys.retries],
      [
        group,
        consumer,
        holder,
        leaseMs,
        hasLedger ? 1 : 0,
        ...messages.flatMap((message) => [message.rowId, leaseIdOf(message)]),
      ],
    );
  }

  commit(messages: readonly Message[], hasLedger: boolean): Promise<unknown> {
    const { keys, group } = this.place;
    const rowIds = messages.map(({ rowId }) => rowId);
    const messageIds = hasLedger ? messages.map(({ messageId }) => messageId) : [];
    return this.runner.run(
      commitScript,
      [keys.stream, keys.ledger, keys.leases, keys.retries, keys.attempts, keys.position],
      [
        group,
        hasLedger ? 1 : 0,
        JSON.stringify(rowIds),
        JSON.stringify(messageIds),
        boundsOf(rowIds)[1],
      ],
    );
  }

  commitRedrives(
    redrives: readonly Message[],
    leaseIdOf: LeaseIdOf,
    hasLedger: boolean,
  ): Promise<unknown> {
    const { ledger, leases, retries, attempts, deadLetters } = this.place.keys;
    return this.runner.run(
      commitRedrivesScript,
      [ledger, leases, retries, attempts, deadLetters],
      [
        hasLedger ? 1 : 0,
        ...redrives.flatMap((message) => [message.rowId, message.messageId, leaseIdOf(message)]),
      ],
    );
  }

  /** @param keepsMs if the messages stay here until their next attempt: how long their leases last */
  scheduleRetries(
    retries: readonly Retry[],
    { leaseIdOf, hasLease }: { readonly leaseIdOf: LeaseIdOf; readonly hasLease: boolean },
    keepsMs: number | '' = '',
  ): Promise<boolean[]> {
    const { keys, group, consumer } = this.place;
    const rows = retries.flatMap(({ message, delayMs }) => [
      message.rowId,
      leaseIdOf(message),
      message.attempt,
      delayMs,
    ]);
    return this.runner.run(
      scheduleRetryScript,
      [keys.stream, keys.leases, keys.retries, keys.attempts],
      [group, consumer, this.fence(hasLease), keepsMs, ...rows],
    );
  }

  handOver(messages: readonly Message[], leaseIdOf: LeaseIdOf): Promise<unknown> {
    const { keys, group, consumer, holder } = this.place;
    const rows = messages.flatMap((message) => [
      message.rowId,
      leaseIdOf(message),
      waitsMs(message),
    ]);
    return this.runner.run(
      handOverScript,
      [keys.stream, keys.leases, keys.retries, keys.attempts],
      [group, consumer, holder, ...rows],
    );
  }

  /** Takes back what at-most-once recorded. @returns for each whether it is pending again */
  putBack(messages: readonly Message[]): Promise<boolean[]> {
    const { keys, group, consumer } = this.place;
    const rows = messages.flatMap(({ rowId, messageId, recordedMs }) => [
      rowId,
      messageId,
      recordedMs ?? 0,
    ]);
    return this.runner.run(
      putBackScript,
      [keys.stream, keys.ledger, keys.retries, keys.packedLedger, this.callKeyOf(messages)],
      [group, consumer, CALL_KNOWN_MS, ...rows],
    );
  }

  /** @param call the same object each time that this call is made: at-most-once remembers calls */
  deadLetter(call: object, letter: NewDeadLetter): Promise<unknown> {
    const { stream, keys, group, consumer } = this.place;
    const { rowId, leaseId, fields, fence, maxLength, isShort, ...cause } = letter;
    return this.runner.run(
      deadLetterScript,
      [
        keys.stream,
        keys.leases,
        keys.retries,
        keys.attempts,
        keys.deadLetters,
        keys.position,
        this.callKeyOf(call),
      ],
      [
        group,
        consumer,
        this.fence(fence === 'lease'),
        fence === 'acknowledged' ? CALL_KNOWN_MS : '',
        maxLength ?? '',
        rowId,
        leaseId,
        ...deadLetterFields(fields, { ...cause, stream, group, consumer }, isShort),
      ],
    );
  }

  acknowledgeDeleted(rowId: string): Promise<unknown> {
    const { keys, group } = this.place;
    const { stream, retries, attempts } = keys;
    return this.runner.run(acknowledgeDeletedScript, [stream, retries, attempts], [group, rowId]);
  }

  /** An entry that no codec reads was never reserved: it is pending for this consumer. */
  deadLetterUnreadable(
    entry: UnreadableEntry,
    maxLength: number | undefined,
    isShort: boolean,
  ): Promise<unknown> {
    const { rowId, entryId, fields, reason, error } = entry;
    const leaseId = byRowId({ rowId, messageId: rowId as string as MessageId });
    const letter = { rowId, leaseId, entryId, fields, reason, error, maxLength, isShort } as const;
    return this.deadLetter(entry, { ...letter, attempts: 0, inLedger: false, fence: 'pending' });
  }

  private get ownerKeys(): readonly string[] {
    const { ownerKey } = this.place;
    return ownerKey === undefined ? [] : [ownerKey];
  }

  private fence(hasLease: boolean): string {
    return hasLease ? this.place.holder : '';
  }

  private callKeyOf(what: object): string {
    return callKey(this.place.keys, this.place.holder, this.numbers.of(what));
  }
}

/** When none of the messages had been given out yet, in ms by Redis's clock; empty if that is not known of all. */
function givenSince(messages: readonly Message[]): number | '' {
  let earliest = Infinity;
  for (const { givenSinceMs } of messages) {
    if (givenSinceMs === undefined) return '';
    if (givenSinceMs < earliest) earliest = givenSinceMs;
  }
  return earliest;
}

/** How long a message still has to wait for its next attempt, in ms; empty if it need not. */
const waitsMs = ({ dueAt }: Message): number | '' => {
  const leftMs = dueAt === undefined ? 0 : Math.ceil(dueAt - performance.now());
  return leftMs > 0 ? leftMs : '';
};

/** Counts all calls of the process: a stream that is left and read again must not reuse a number. */
let last = 0;

/** Numbers calls by the object they are about: a repeated call keeps its number, and no other call has it. */
export class CallNumbers {
  private readonly numbers = new WeakMap<object, number>();

  of(what: object): number {
    const number = this.numbers.get(what) ?? ++last;
    this.numbers.set(what, number);
    return number;
  }
}
