import type { ReadPacket } from '@nestjs/microservices';
import type { EntryFields } from '../codec/codec.js';
import { FieldCodec } from '../codec/field.codec.js';
import { MessageEncodingError } from '../errors/message-encoding.error.js';
import { RedisStreamsError } from '../errors/redis-streams.error.js';
import { streamKey } from '../keys/stream-keys.js';
import type { ResolvedClientOptions } from '../options/resolved-options.js';
import * as text from './client.messages.js';
import { dueTime } from './due-time.js';
import { publishTarget } from './publish-target.js';
import type { Publishing } from './publishing.js';
import { toEnvelope } from './to-envelope.js';

/** What Nest gives to a client, and since Nest 12 what its dispatch hook attached. */
export type OutgoingPacket = ReadPacket & {
  readonly metadata?: Readonly<Record<string, unknown>>;
};

/** No character of UTF-16 takes more bytes of UTF-8. */
const MOST_BYTES_A_CHARACTER = 3;

/** Makes of what the user sends what goes to Redis. */
export class MessageEncoder {
  constructor(private readonly options: ResolvedClientOptions) {}

  /** @throws MessageEncodingError where it cannot be written, or is too large */
  encode({ pattern, data, metadata }: OutgoingPacket): Publishing {
    const { stream, name } = publishTarget(pattern);
    const envelope = toEnvelope(stream, data, metadata, name);
    const { messageId, idIsNew } = envelope;
    const { keyPrefix, limits, maxPayloadBytes, codecs } = this.options;
    const key = streamKey(keyPrefix, stream);
    const fields = codecs.of(stream).encode(stream, envelope);
    mustFit(stream, fields, maxPayloadBytes);
    const due = dueTime(stream, data);
    return { stream, key, messageId, idIsNew, fields, due, limits: limits.get(stream) };
  }

  /** @throws MessageEncodingError as `encode` does, and where an entry of the stream has no place for what makes it a request */
  encodeRequest(packet: OutgoingPacket): Publishing {
    const { stream } = publishTarget(packet.pattern);
    if (this.options.codecs.plain(stream) instanceof FieldCodec) {
      throw new MessageEncodingError(stream, text.NO_PLACE_FOR_REQUESTS);
    }
    const message = this.encode(packet);
    if (message.due !== undefined) throw new MessageEncodingError(stream, text.NO_REQUEST_LATER);
    return message;
  }
}

/** What goes wrong with an item of a batch, with its place in it. */
export function encodingErrorOf(stream: string, index: number, error: unknown): Error {
  if (error instanceof MessageEncodingError) {
    const { reason, cause } = error;
    return new MessageEncodingError(
      error.stream,
      reason,
      cause === undefined ? { index } : { index, cause },
    );
  }
  // What is wrong with the stream is not the item's fault.
  if (error instanceof RedisStreamsError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new MessageEncodingError(stream, reason, { index, cause: error });
}

function mustFit(stream: string, fields: EntryFields, mostBytes: number): void {
  let length = 0;
  for (const field of fields) length += field.length;
  // Nearly all messages are far below it, and need not be counted.
  if (length * MOST_BYTES_A_CHARACTER <= mostBytes) return;
  let bytes = 0;
  for (const field of fields) bytes += Buffer.byteLength(field);
  if (bytes > mostBytes) throw new MessageEncodingError(stream, text.tooLarge(bytes, mostBytes));
}
