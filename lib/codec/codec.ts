import type { MessageEnvelope } from './envelope.js';

/** An entry's fields as Redis has them, in their order: name, value, name, value … */
export type EntryFields = (string | Buffer)[];

/** The fields of an entry that was read, as bytes: name, value, name, value … */
export type RawFields = readonly Buffer[];

/** How a message is written as an entry's fields, and read from them. */
export interface Codec {
  /** @throws MessageEncodingError where the message cannot be written */
  encode(stream: string, envelope: MessageEnvelope): EntryFields;
  /** @throws MessageDecodingError where the fields are not what `encode` writes */
  decode(fields: RawFields): MessageEnvelope;
}
