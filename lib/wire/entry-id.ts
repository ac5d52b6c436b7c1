
/** The time part of an entry ID: when Redis took the entry, in ms. */
export const publishedAtMs = (entryId: string): number =>
  Number(entryId.slice(0, entryId.indexOf('-')));

/** The lowest entry ID after `entryId`. */
export function entryIdAfter(entryId: string): string {
  const [ms, sequence] = split(entryId);
  return `${ms}-${BigInt(sequence) + 1n}`;
}

/** Orders entry IDs as Redis does: by number, not as text. */
export function compareEntryIds(a: string, b: string): number {
  // Most often both have the same form, and then text sorts as numbers do.
  if (a.length === b.length && a.indexOf('-') === b.indexOf('-')) return a < b ? -1 : Number(a > b);
  const [aMs, aSeq] = split(a);
  const [bMs, bSeq] = split(b);
  return compareDigits(aMs, bMs) || compareDigits(aSeq, bSeq);
}

/** The lowest and the highest of some entry IDs; empty where there are none. */
export function boundsOf(entryIds: readonly string[]): readonly [lowest: string, highest: string] {
  const [first = ''] = entryIds;
  let lowest = first;
  let highest = first;
  for (const entryId of entryIds) {
    // Most often they come in their order.
    if (compareEntryIds(entryId, highest) > 0) highest = entryId;
    else if (compareEntryIds(entryId, lowest) < 0) lowest = entryId;
  }
  return [lowest, highest];
}

function split(entryId: string): readonly [string, string] {
  const dash = entryId.indexOf('-');
  return dash < 0 ? [entryId, '0'] : [entryId.slice(0, dash), entryId.slice(dash + 1)];
}

// Both parts go up to 64 bits, which a number cannot hold.
function compareDigits(a: string, b: string): number {
  if (a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : Number(a > b);
}

/** What stands in `retries`, leases and attempts for a dead letter that is redriven begins so, and its ID follows. */
const PREFIX = 'dead-letter:';

/** Whether an ID of the pipeline is that of a redrive, and not that of an entry. */
export const isRedrive = (id: string): boolean => id.startsWith(PREFIX);

/** The dead letter behind a redrive, or the entry ID as it is. Both are IDs of Redis, which have an order. */
export const streamIdOf = (id: string): string => (isRedrive(id) ? id.slice(PREFIX.length) : id);

/** What stands there for the dead letter of this ID. */
export const redriveMember = (deadLetterId: string): string => PREFIX + deadLetterId;
