import { type Codec, decodeEnvelope, type RawFields } from './codec.js';
import { splitRequest } from './request-reply-fields.js';

/** The message ID that an entry's fields name; undefined if they name none, or cannot be read: then it is the entry ID. */
export function messageIdIn(codec: Codec, stream: string, fields: RawFields): string | undefined {
  try {
    return decodeEnvelope(codec, stream, splitRequest(fields)?.own ?? fields).messageId;
  } catch {
    return undefined;
  }
}
