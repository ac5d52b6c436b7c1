import { MessageDecodingError } from '../errors/message.errors.js';
import { cutText, isError, thrownMessage } from '../errors/thrown.js';
import {
  type Codec,
  decodeEnvelope,
  type EntryFields,
  type RawFields,
  requestFieldWrong,
} from './codec.js';
import { fromJson, fromUtf8 } from './payload-form.js';

/** What makes a message a request: where its replies go, and how long the client waits for them. */
export interface RequestFields {
  /** Identifies its replies in the inbox. */
  readonly id: string;
  /** The key of the inbox. */
  readonly inbox: string;
  /** How long the client waits, from the entry's time and from each reply, in ms. */
  readonly timeoutMs: number;
}

const ID = 'request-id';
const INBOX = 'request-inbox';
const TIMEOUT = 'request-timeout-ms';
const OURS: readonly string[] = [ID, INBOX, TIMEOUT];
const ID_BYTES = Buffer.from(ID);

/** These fields are separate from the codec's, so that programs without requests can read the message too. */
export const requestFields = ({ id, inbox, timeoutMs }: RequestFields): EntryFields => [
  ID,
  id,
  INBOX,
  inbox,
  TIMEOUT,
  String(timeoutMs),
];

/**
 * Splits an entry's fields into those of the codec and those of the request.
 *
 * @returns undefined if it is not a request
 * @throws MessageDecodingError if a field of the request is missing or invalid
 */
export function splitRequest(fields: RawFields):
  | {
      readonly own: RawFields;
      readonly request: RequestFields;
    }
  | undefined {
  if (!isRequest(fields)) return undefined;
  const own: Buffer[] = [];
  const found = new Map<string, string>();
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const [field, value] = fields.slice(at, at + 2);
    if (field === undefined || value === undefined) continue;
    const name = field.toString();
    if (OURS.includes(name)) found.set(name, value.toString());
    else own.push(field, value);
  }
  const [id = '', inbox = '', timeout = ''] = OURS.map((name) => found.get(name));
  if (!/^\w{1,64}$/.test(id)) throw new MessageDecodingError(requestFieldWrong(ID));
  if (!/^\d{1,15}$/.test(timeout)) throw new MessageDecodingError(requestFieldWrong(TIMEOUT));
  return { own, request: { id, inbox, timeoutMs: Number(timeout) } };
}

// This runs for every message, and most are not requests.
function isRequest(fields: RawFields): boolean {
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const field = fields[at];
    if (field?.length === ID_BYTES.length && field.equals(ID_BYTES)) return true;
  }
  return false;
}

/** The run of a request's handler that sent a reply, and the reply's number in that run. */
export interface ReplyOrigin {
  /** The request's ID. */
  readonly id: string;
  readonly group: string;
  /** The group's attempt, from 1. */
  readonly attempt: number;
  /** Unique to the run. */
  readonly run: string;
  /** From 1. A reply that was written twice has the same number both times. */
  readonly number: number;
}

/** The meaning of a reply. */
export type ReplyKind =
  /** A value; more may follow. */
  | 'next'
  /** A value; no more follow. */
  | 'last'
  /** No more values follow. */
  | 'end'
  | 'error'
  /** This group has no handler for the request. */
  | 'nobody';

/** A reply in an inbox. */
export type Reply = ReplyOrigin &
  (
    | {
        readonly kind: 'next' | 'last';
        /** The value as the codec wrote it. Empty if the value is `undefined`. */
        readonly value: RawFields;
      }
    | { readonly kind: 'end' }
    | { readonly kind: 'error'; readonly error: unknown }
    | {
        readonly kind: 'nobody';
        /** How many groups the stream has. */
        readonly groups: number;
      }
  );

const KINDS: ReadonlySet<string> = new Set<ReplyKind>(['next', 'last', 'end', 'error', 'nobody']);

/** @param rest a value as the codec wrote it, or the result of `errorFields` or `nobodyFields` */
export const replyFields = (
  { id, group, attempt, run, number }: ReplyOrigin,
  kind: ReplyKind,
  rest: EntryFields,
): EntryFields => ['reply', `${id} ${kind} ${number} ${attempt} ${run} ${group}`, ...rest];

export const nobodyFields = (groups: number): EntryFields => ['groups', String(groups)];

/** How many characters an error has in a reply; of a longer one, only the beginning of its message is sent. */
const LONGEST_ERROR = 65_536;

/** An error as JSON, as in Nest's own transports. The message of an `Error` is added, since JSON would leave it out. */
export function errorFields(error: unknown): EntryFields {
  let json: string | undefined;
  try {
    json = JSON.stringify(plainError(error));
  } catch {
    // Circular, a BigInt, or it throws when it is read: at least its text can be sent.
  }
  if (json !== undefined && json.length <= LONGEST_ERROR) return ['error', json];
  const message = cutText(thrownMessage(error), LONGEST_ERROR / 4);
  return ['error', JSON.stringify({ status: 'error', message })];
}

function plainError(error: unknown): unknown {
  if (!isError(error)) return error ?? { status: 'error', message: 'Unknown error' };
  const getError: unknown = Reflect.get(error, 'getError');
  if (typeof getError === 'function') {
    const content: unknown = getError.call(error);
    if (typeof content === 'object' && content !== null) return content;
    return { status: 'error', message: content };
  }
  return { ...error, status: 'error', message: error.message };
}

const LONGEST_ID = 64;
const LONGEST_HEAD = 4_096;

/** The ID of the request that an entry of an inbox replies to; undefined if it is not a reply. */
export function requestIdOf([field, head]: RawFields): string | undefined {
  if (head === undefined || field?.toString('latin1', 0, 6) !== 'reply') return undefined;
  const start = head.toString('latin1', 0, LONGEST_ID + 1);
  const end = start.indexOf(' ');
  return end < 0 ? undefined : start.slice(0, end);
}

/** @returns undefined if the entry is not a reply. Never throws: an error that cannot be read is one itself */
export function readReply(fields: RawFields): Reply | undefined {
  const [field, head, ...rest] = fields;
  if (field?.toString('latin1', 0, 6) !== 'reply' || head === undefined) return undefined;
  if (head.length > LONGEST_HEAD) return undefined;
  const [, id = '', kind = '', number, attempt, run = '', group = ''] =
    /^(\w+) (\w+) (\d+) (\d+) (\S+) (.*)$/s.exec(head.toString()) ?? [];
  if (!isKind(kind)) return undefined;
  const origin = { id, group, run, attempt: Number(attempt), number: Number(number) };
  if (kind === 'end') return { ...origin, kind };
  if (kind === 'error') return { ...origin, kind, error: errorIn(rest) };
  if (kind === 'nobody')
    return { ...origin, kind, groups: Number(rest[1]?.toString('latin1', 0, 16)) };
  return { ...origin, kind, value: rest };
}

const isKind = (kind: string): kind is ReplyKind => KINDS.has(kind);

function errorIn([, value = Buffer.of()]: RawFields): unknown {
  try {
    return fromJson('error', fromUtf8('reply', value));
  } catch (error) {
    return error;
  }
}

/** The message ID that an entry's fields name; undefined if they name none, or cannot be read: then it is the entry ID. */
export function messageIdIn(codec: Codec, stream: string, fields: RawFields): string | undefined {
  try {
    return decodeEnvelope(codec, stream, splitRequest(fields)?.own ?? fields).messageId;
  } catch {
    return undefined;
  }
}
