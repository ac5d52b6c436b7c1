import { MessageDecodingError } from '../errors/message.errors.js';
import { type EntryFields, type RawFields, requestFieldWrong } from './codec.js';

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
