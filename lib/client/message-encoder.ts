import type { ReadPacket } from '@nestjs/microservices';
import type { EntryFields } from '../codec/codec.js';
import { MessageEncodingError } from '../errors/message-encoding.error.js';
import { RedisStreamsError } from '../errors/redis-streams.error.js';
import { streamKey } from '../keys/stream-keys.js';
import type { ResolvedClientOptions } from '../options/resolved-options.js';
import * as text from './client.messages.js';
import { publishTarget } from './publish-target.js';
import type { Publishing } from './publishing.js';
import { type OutgoingEnvelope, toEnvelope } from './to-envelope.js';

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
  encode(packet: OutgoingPacket): Publishing {
    const { stream, envelope } = this.envelopeOf(packet);
    return this.write(stream, envelope);
  }

  /** The first half of {@link encode}: whereto, and what, with its message ID. */
  envelopeOf({ pattern, data, metadata }: OutgoingPacket): {
    stream: string;
    envelope: OutgoingEnvelope;
  } {
    const { stream, name } = publishTarget(pattern);
    return { stream, envelope: toEnvelope(stream, data, metadata, name) };
  }

  /** The second half of {@link encode}: an envelope as fields. */
  write(stream: string, envelope: OutgoingEnvelope): Publishing {
    const { messageId, idIsNew } = envelope;
    const { keyPrefix, limits, maxPayloadBytes, codecs } = this.options;
    const key = streamKey(keyPrefix, stream);
    const fields = codecs.of(stream).encode(stream, envelope);
    mustFit(stream, fields, maxPayloadBytes);
    return { stream, key, messageId, idIsNew, fields, limits: limits.get(stream) };
  }
}

/** Makes something of each item of a batch; what goes wrong says the item's place in it. */
export function eachItem<Item, Made>(
  stream: string,
  items: readonly Item[],
  make: (item: Item, index: number) => Made,
): Made[] {
  return items.map((item, index) => {
    try {
      return make(item, index);
    } catch (error) {
      throw encodingErrorOf(stream, index, error);
    }
  });
}

function encodingErrorOf(stream: string, index: number, error: unknown): Error {
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
