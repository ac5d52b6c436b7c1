import { randomUUID } from 'node:crypto';
import type { MessageEnvelope } from '../wire/envelope.js';
import { MessageEncodingError } from '../errors/message.errors.js';
import * as text from './client.messages.js';
import { RedisStreamsRecord } from './redis-streams.record.js';

/** An envelope whose message ID is fixed. */
export type OutgoingEnvelope = MessageEnvelope & {
  readonly messageId: string;
  /** Whether the ID was made here, so that nobody else can have published it. */
  readonly idIsNew: boolean;
};

/**
 * What is to be written for a payload, plain or in a record.
 *
 * @throws MessageEncodingError where the record's ID, name, key or headers are not text, or the pattern says another name
 */
export function toEnvelope(
  stream: string,
  data: unknown,
  metadata: Readonly<Record<string, unknown>> | undefined,
  nameInPattern?: string,
): OutgoingEnvelope {
  const record = data instanceof RedisStreamsRecord ? data : new RedisStreamsRecord(data);
  const { messageId = randomUUID(), name = nameInPattern ?? stream, headers, key } = record.options;
  mustBeText(stream, 'message ID', messageId);
  mustBeText(stream, 'name', name);
  if (key !== undefined) mustBeText(stream, 'key', key);
  // Which of them was meant, nobody knows; and the wrong one has other handlers, or none.
  if (nameInPattern !== undefined && name !== nameInPattern)
    throw new MessageEncodingError(stream, text.twoNames(nameInPattern, name));
  for (const [header, value] of Object.entries(headers ?? {})) {
    if (typeof value !== 'string')
      throw new MessageEncodingError(stream, text.notText(`header "${header}"`));
  }
  const idIsNew = record.options.messageId === undefined;
  return { name, payload: record.payload, messageId, idIsNew, headers, metadata, key };
}

function mustBeText(stream: string, what: string, value: unknown): void {
  if (typeof value !== 'string' || value === '')
    throw new MessageEncodingError(stream, text.notText(what));
}
