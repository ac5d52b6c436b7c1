import { describeThrown, type ThrownText } from '../errors/thrown-text.js';
import { cutText } from '../errors/thrown.js';
import type { EntryFields, RawFields } from './codec.js';

/** Why and where a message became a dead letter. */
export interface DeadLetterCause {
  readonly reason: string;
  /** What was thrown, if anything. */
  readonly error: unknown;
  readonly attempts: number;
  readonly entryId: string;
  readonly stream: string;
  readonly group: string;
  readonly consumer: string;
  /** Whether the message is in the ledger: at-most-once puts it there before the handlers run. */
  readonly inLedger: boolean;
}

/** The value of `dead-letter-delivery`. At-least-once leaves the field out. */
export const AT_MOST_ONCE = 'at-most-once';

/** Lua accepts about 8 000 arguments in one call, and a dead letter adds some fields. */
const MOST_VALUES = 7_000;

/** Of a reason; with the 12 KiB of an error, a dead letter adds at most 16 KiB and its places to an entry. */
const LONGEST_REASON = 4_096;

/** A short dead letter has no longer values. Redis can be set to refuse those of more than 1 MiB. */
export const LONGEST_IN_SHORT = 65_536;

/**
 * The fields of a dead letter: those of its entry, byte for byte (at most the first 3 500), and the cause, which is cut to 16 KiB.
 * `dead-letter-cut` names what was cut.
 *
 * @param isShort whether fields with long values and the error's stack are left out: Redis has refused the whole of it
 */
export function deadLetterFields(
  entryFields: RawFields,
  cause: DeadLetterCause,
  isShort = false,
): EntryFields {
  const { error, attempts, entryId, stream, group, consumer, inLedger } = cause;
  const thrown = thrownOf(error, isShort);
  const reason = cutText(cause.reason, LONGEST_REASON);
  const fields = isShort ? shortFields(entryFields) : entryFields;
  const kept = fields.slice(0, MOST_VALUES);
  const left = (entryFields.length - kept.length) / 2;
  const cut = [
    ...(fields.length === entryFields.length ? [] : ['fields']),
    ...(reason === cause.reason ? [] : ['reason']),
    ...thrown.cut,
  ];
  const why: Record<string, string | undefined> = {
    reason,
    'error-name': thrown.name,
    'error-message': thrown.message,
    'error-stack': thrown.stack,
    'error-causes': thrown.causes,
    'error-details': thrown.details,
    cut: cut.length === 0 ? undefined : cut.join(', '),
    attempts: String(attempts),
    'entry-id': entryId,
    stream,
    group,
    consumer,
    delivery: inLedger ? AT_MOST_ONCE : undefined,
  };
  const added = Object.entries(why).flatMap(([name, value]) =>
    value === undefined ? [] : [`dead-letter-${name}`, value],
  );
  if (left > 0) added.push('dead-letter-fields-left-out', String(left));
  return [...kept, ...added];
}

type Thrown = Partial<ThrownText> & Pick<ThrownText, 'cut'>;

function thrownOf(error: unknown, isShort: boolean): Thrown {
  if (error === undefined) return { cut: [] };
  const { stack, ...thrown } = describeThrown(error);
  if (!isShort) return { stack, ...thrown };
  return { ...thrown, cut: stack === undefined ? thrown.cut : [...thrown.cut, 'stack'] };
}

function shortFields(fields: RawFields): RawFields {
  const short: Buffer[] = [];
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const [name, value] = [fields[at], fields[at + 1]];
    if (name === undefined || value === undefined) continue;
    if (name.length + value.length <= LONGEST_IN_SHORT) short.push(name, value);
  }
  return short;
}

const PREFIX = 'dead-letter-';
/** The first field that a dead letter adds to those of its entry. */
const FIRST = `${PREFIX}reason`;

/** The two parts of a dead letter. */
export interface DeadLetterParts {
  /** The fields of its entry, byte for byte. */
  readonly fields: RawFields;
  /** The fields that were added, by name without `dead-letter-`. */
  readonly cause: ReadonlyMap<string, string>;
}

/**
 * Takes a dead letter apart. If somebody published a dead letter again, its entry has such fields too. So the added fields start
 * at the last reason.
 */
export function deadLetterParts(all: RawFields): DeadLetterParts {
  const fields: Buffer[] = [];
  const cause = new Map<string, string>();
  const from = lastReason(all);
  for (let at = 0; at + 1 < all.length; at += 2) {
    const [name, value] = [all[at], all[at + 1]];
    if (name === undefined || value === undefined) break;
    const text = at < from ? '' : name.toString();
    if (text.startsWith(PREFIX)) cause.set(text.slice(PREFIX.length), value.toString());
    else fields.push(name, value);
  }
  return { fields, cause };
}

function lastReason(all: RawFields): number {
  for (let at = all.length - 2; at >= 0; at -= 2) if (all[at]?.toString() === FIRST) return at;
  return 0;
}
