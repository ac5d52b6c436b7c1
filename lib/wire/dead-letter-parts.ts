import type { RawFields } from './codec.js';

const PREFIX = 'dead-letter-';
/** The first field that a dead letter adds to those of its entry. */
const FIRST = `${PREFIX}reason`;

/** A dead letter, taken apart. */
export interface DeadLetterParts {
  /** The fields of the entry that it was, byte for byte. */
  readonly fields: RawFields;
  /** What was added, by name without `dead-letter-`. */
  readonly cause: ReadonlyMap<string, string>;
}

/**
 * Takes a dead letter apart. An entry can have fields of such names itself, where somebody published a dead letter anew: so
 * what was added begins where the last of the reasons is.
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
