import { isUtf8 } from 'node:buffer';
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';

declare const kind: unique symbol;

/** A string that identifies one kind of thing. Only code that reads it from Redis or creates it may cast to it. */
type Id<Kind extends string> = string & { readonly [kind]: Kind };

/** The ID of an entry in its stream: `1729768245123-0`. */
export type EntryId = Id<'entry'>;

/** A message's ID in the rows of its group: its entry ID, or `dead-letter:<id>` if it is a redrive. */
export type RowId = Id<'row'>;

/** The ID that its producer gave a message, or its entry ID. */
export type MessageId = Id<'message'>;

/** The key of a lease: the message ID, or the row ID of a redrive if there is no ledger. */
export type LeaseId = Id<'lease'>;

/** Who holds leases: a consumer's token, or the token and epoch of a partition's owner. */
export type Holder = Id<'holder'>;

/** When Redis received the entry, in ms: the time part of its ID. */
export const publishedAtMs = (entryId: string): number =>
  Number(entryId.slice(0, entryId.indexOf('-')));

/** The lowest entry ID after `entryId`. */
export function entryIdAfter(entryId: string): string {
  const [ms, sequence] = split(entryId);
  return `${ms}-${BigInt(sequence) + 1n}`;
}

/** Orders entry IDs as Redis does: by number, not as text. */
export function compareEntryIds(a: string, b: string): number {
  // Usually both have the same length, and then text sorts like numbers.
  if (a.length === b.length && a.indexOf('-') === b.indexOf('-')) return a < b ? -1 : Number(a > b);
  const [aMs, aSeq] = split(a);
  const [bMs, bSeq] = split(b);
  return compareDigits(aMs, bMs) || compareDigits(aSeq, bSeq);
}

/** The lowest and the highest of some entry IDs. Both are empty if there are none. */
export function boundsOf(entryIds: readonly string[]): readonly [lowest: string, highest: string] {
  const [first = ''] = entryIds;
  let lowest = first;
  let highest = first;
  for (const entryId of entryIds) {
    // Usually they come in order.
    if (compareEntryIds(entryId, highest) > 0) highest = entryId;
    else if (compareEntryIds(entryId, lowest) < 0) lowest = entryId;
  }
  return [lowest, highest];
}

function split(entryId: string): readonly [string, string] {
  const dash = entryId.indexOf('-');
  return dash < 0 ? [entryId, '0'] : [entryId.slice(0, dash), entryId.slice(dash + 1)];
}

// Each part has up to 64 bits, more than a number can hold.
function compareDigits(a: string, b: string): number {
  if (a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : Number(a > b);
}

/** Starts the row ID of a redrive, which runs a dead letter again; the dead letter's ID follows. */
export const REDRIVE_PREFIX = 'dead-letter:';

/** Whether an ID is that of a redrive, and not an entry ID. */
export const isRedrive = (id: string): boolean => id.startsWith(REDRIVE_PREFIX);

/** What waits in a row of a group, and its ID in Redis: the entry's, or that of the dead letter that runs again. */
export const parseRowId = (
  id: string,
): { readonly kind: 'entry' | 'redrive'; readonly id: string } => ({
  kind: isRedrive(id) ? 'redrive' : 'entry',
  id: streamIdOf(id),
});

/** The ID in Redis: a redrive's dead letter ID, or the entry ID itself. */
export const streamIdOf = (id: string): string =>
  isRedrive(id) ? id.slice(REDRIVE_PREFIX.length) : id;

/** The ID of the redrive of a dead letter. */
export const redriveId = (deadLetterId: string): string => REDRIVE_PREFIX + deadLetterId;

/** A name for one running instance of `group`: `group.host.pid.random`, in characters that every tool can show. */
export function consumerName(group: string): string {
  const name = `${group}.${hostname()}.${process.pid}.${randomBytes(4).toString('hex')}`;
  return name.replace(/[^A-Za-z0-9._-]/g, '_');
}

/** What the text of an ID begins with if its bytes are no text, or begin with this themselves. */
const MARK = 'base64:';

/**
 * A message ID as text. Any bytes are a valid ID, and different bytes have different texts: bytes that are not UTF-8 become
 * `base64:` and their base64, and so does text that begins with `base64:`.
 */
export function messageIdOf(bytes: Buffer): string {
  const text = bytes.toString();
  if (!text.startsWith(MARK) && (!text.includes('\uFFFD') || isUtf8(bytes))) return text;
  return MARK + bytes.toString('base64');
}

/** A message ID as a field's value: the reverse of {@link messageIdOf}. Other texts stand for themselves. */
export function messageIdField(id: string): string | Buffer {
  if (!id.startsWith(MARK)) return id;
  const bytes = Buffer.from(id.slice(MARK.length), 'base64');
  return messageIdOf(bytes) === id ? bytes : id;
}
