import { MessageDecodingError, MessageEncodingError } from '../errors/message.errors.js';
import type { Codec, EntryFields, RawFields } from './codec.js';
import * as text from './codec.messages.js';
import type { DecodedEnvelope, MessageEnvelope } from './envelope.js';
import {
  checkCodecOptions,
  checkFieldName,
  decodePayload,
  encodePayload,
  ownBytes,
  type PayloadForm,
} from './payload-form.js';
import { readMetadata, writeMetadata } from './watermill-metadata.js';

const WATERMILL = '_watermill_message_uuid';
const NATRICINE = '_natricine_message_uuid';
const UUID = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/i;

/** Options of {@link WatermillCodec}. */
export interface WatermillCodecOptions {
  /**
   * The field that the message ID is written to: `'_natricine_message_uuid'` where natricine reads the stream, which takes
   * UUIDs only. Both names are understood, whichever is written.
   *
   * @default '_watermill_message_uuid'
   */
  uuidKey?: '_watermill_message_uuid' | '_natricine_message_uuid' | (string & {});
  /**
   * What the payload is. Watermill and natricine know it as bytes: set it to what their handlers make of them. With `'text'`
   * only strings can be sent beside bytes, with `'bytes'` only bytes.
   *
   * @default 'json'
   */
  payload?: PayloadForm;
}

/**
 * The entries of Watermill's Redis Streams and of natricine: a field for the message ID, `payload`, and `metadata` in
 * MessagePack. Name and headers travel in the metadata, the name as `name`; so do, for services of this package alone, the
 * ordering key (`_nestjs_key`), what Nest's dispatch hook attached (`_nestjs_metadata`, JSON), and that the payload is bytes
 * where the codec is set for something else (`_nestjs_payload`).
 *
 * @example
 * ```ts
 * RedisStreamsModule.forRoot({
 *   group: 'billing',
 *   streams: { orders: { codec: new WatermillCodec() } },
 * });
 * ```
 */
export class WatermillCodec implements Codec {
  readonly carriesKey: boolean = true;
  private readonly uuidKey: string;
  private readonly form: PayloadForm;

  /** @throws InvalidOptionsError */
  constructor(options: WatermillCodecOptions = {}) {
    checkCodecOptions('WatermillCodec', options, ['uuidKey', 'payload']);
    const { uuidKey = WATERMILL, payload = 'json' } = options;
    checkFieldName('WatermillCodec.uuidKey', uuidKey);
    this.uuidKey = uuidKey;
    this.form = payload;
  }

  encode(stream: string, envelope: MessageEnvelope): EntryFields {
    const { payload, messageId = '', headers = {} } = envelope;
    // natricine's reader ends where it meets another ID, and meets it again when it is started.
    if (this.uuidKey === NATRICINE && !UUID.test(messageId)) {
      throw new MessageEncodingError(stream, text.ID_NOT_UUID);
    }
    // Watermill refuses to publish such metadata on.
    if (Object.hasOwn(headers, this.uuidKey)) {
      throw new MessageEncodingError(stream, text.headerReserved(this.uuidKey));
    }
    const bytes = this.form !== 'bytes' && payload instanceof Uint8Array;
    return [
      this.uuidKey,
      messageId,
      'payload',
      bytes ? ownBytes(payload) : encodePayload(stream, this.form, payload),
      'metadata',
      writeMetadata(stream, envelope, bytes),
    ];
  }

  decode(fields: RawFields): DecodedEnvelope {
    let payload, metadata: Buffer | undefined;
    let messageId = '';
    for (let at = 0; at + 1 < fields.length; at += 2) {
      const [field, value] = [fields[at]?.toString() ?? '', fields[at + 1]];
      if (field === 'payload') payload = value;
      else if (field === 'metadata') metadata = value;
      else if (field === this.uuidKey || field === WATERMILL || field === NATRICINE) {
        messageId = value?.toString() ?? '';
      }
    }
    if (payload === undefined) throw new MessageDecodingError(text.fieldMissing('payload'));
    const { isBytes, ...its } = readMetadata(metadata);
    return {
      ...its,
      messageId: messageId === '' ? undefined : messageId,
      payload: decodePayload('payload', isBytes ? 'bytes' : this.form, payload),
    };
  }
}
