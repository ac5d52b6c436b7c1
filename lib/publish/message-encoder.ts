import type { ReadPacket } from '@nestjs/microservices';
import type { EntryFields } from '../wire/codec.js';
import { FieldCodec } from '../wire/field.codec.js';
import { MessageEncodingError } from '../errors/message.errors.js';
import { placeOf } from '../wire/partitions.js';
import { streamKey } from '../wire/stream-keys.js';
import type { ResolvedClientOptions } from '../options/resolved-options.js';
import * as text from './client.messages.js';
import { dueTime } from './due-time.js';
import { checkPayload, type WhenValid } from './payload-check.js';
import { publishTarget } from './publish-target.js';
import type { Publishing } from './publishing.js';
import { type OutgoingEnvelope, toEnvelope } from './to-envelope.js';

/** What Nest gives to a client, and since Nest 12 what its dispatch hook attached. */
export type OutgoingPacket = ReadPacket & {
  readonly metadata?: Readonly<Record<string, unknown>>;
};

/** A message that can be sent once its schema is content with it. */
export interface EncodedMessage extends Publishing {
  /** Nothing where that is so already. */
  readonly whenValid: WhenValid | undefined;
}

/** A message before it is encoded. */
export interface MessageDraft {
  readonly stream: string;
  readonly envelope: OutgoingEnvelope;
  /** As the scripts want it; nothing where it is to be published at once. */
  readonly due: string | undefined;
}

/** No character of UTF-16 takes more bytes of UTF-8. */
const MOST_BYTES_A_CHARACTER = 3;

/** Makes of what the user sends what goes to Redis. */
export class MessageEncoder {
  constructor(private readonly options: ResolvedClientOptions) {}

  /**
   * Its payload is what it is at the call, also where the schema answers later.
   *
   * @throws MessageEncodingError where it cannot be written, or is too large; MessageValidationError
   */
  encode(packet: OutgoingPacket): EncodedMessage {
    return this.write(this.draft(packet));
  }

  /** The first half of {@link encode}: whereto, when and what, with its message ID. */
  draft({ pattern, data, metadata }: OutgoingPacket): MessageDraft {
    const { stream, name } = publishTarget(pattern);
    const envelope = toEnvelope(stream, data, metadata, name);
    return { stream, envelope, due: dueTime(stream, data) };
  }

  /** The second half of {@link encode}. */
  write({ stream, envelope, due }: MessageDraft): EncodedMessage {
    const { messageId, idIsNew, payload } = envelope;
    const { keyPrefix, limits, maxPayloadBytes, codecs, schemas, partitions, publishTimeoutMs } =
      this.options;
    const schema = schemas.get(stream);
    const whenValid =
      schema === undefined ? undefined : checkPayload(schema, stream, payload, publishTimeoutMs);
    const count = partitions.get(stream);
    const key = streamKey(keyPrefix, placeOf(stream, count, envelope.key ?? messageId));
    const isPlacedOnly = count !== undefined && codecs.plain(stream).carriesKey === false;
    const written = isPlacedOnly ? { ...envelope, key: undefined } : envelope;
    const fields = codecs.of(stream).encode(stream, written);
    mustFit(stream, fields, maxPayloadBytes);
    return { stream, key, messageId, idIsNew, fields, due, limits: limits.get(stream), whenValid };
  }

  /** Whether entries of the stream have a place for headers, and for what else is no payload. */
  hasHeaders(stream: string): boolean {
    return !(this.options.codecs.plain(stream) instanceof FieldCodec);
  }

  /** @throws MessageEncodingError as `draft` does, and where an entry of the stream has no place for what makes it a request */
  draftRequest(packet: OutgoingPacket): MessageDraft {
    const { stream } = publishTarget(packet.pattern);
    if (!this.hasHeaders(stream)) {
      throw new MessageEncodingError(stream, text.NO_PLACE_FOR_REQUESTS);
    }
    const draft = this.draft(packet);
    if (draft.due !== undefined) throw new MessageEncodingError(stream, text.NO_REQUEST_LATER);
    return draft;
  }
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
