import { MessageDecodingError } from '../errors/message.errors.js';
import type { EntryFields, RawFields } from './codec.js';
import { requestFieldWrong } from './codec.messages.js';

/** What makes a request of a message: where its replies go, and how long somebody waits for them. */
export interface RequestFields {
  /** By what its replies are known in the inbox. */
  readonly id: string;
  /** The key of the inbox. */
  readonly inbox: string;
  /** From when Redis took the entry, and from each reply, in ms. */
  readonly timeoutMs: number;
}

const ID = 'request-id';
const INBOX = 'request-inbox';
const TIMEOUT = 'request-timeout-ms';
const OURS: readonly string[] = [ID, INBOX, TIMEOUT];
const ID_BYTES = Buffer.from(ID);

/** Fields beside those of the codec, so that programs which know no requests read the message all the same. */
export const requestFields = ({ id, inbox, timeoutMs }: RequestFields): EntryFields => [
  ID,
  id,
  INBOX,
  inbox,
  TIMEOUT,
  String(timeoutMs),
];

/**
 * Takes an entry's fields apart: those of the codec, and what makes it a request; nothing where it is none.
 *
 * @throws MessageDecodingError where it says that it is a request, and not what kind of
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

// Asked of every message there is: most are none.
function isRequest(fields: RawFields): boolean {
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const field = fields[at];
    if (field?.length === ID_BYTES.length && field.equals(ID_BYTES)) return true;
  }
  return false;
}
