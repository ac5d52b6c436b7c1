import { shareClasses } from '../errors/copies.js';
import { MessageDecodingError, MessageEncodingError } from '../errors/message.errors.js';
import * as text from './codec.js';
import type { Codec, DecodedEnvelope, EntryFields, MessageEnvelope, RawFields } from './codec.js';
import {
  checkCodecOptions,
  checkFieldName,
  decodePayload,
  encodePayload,
  type PayloadForm,
} from './payload-form.js';

/** Options of {@link FieldCodec}. */
export interface FieldCodecOptions {
  /** The field that holds the payload; not empty. */
  field: string;
  /**
   * The form of the payload in the field. `'text'` accepts only strings, `'bytes'` only `Buffer` and `Uint8Array`.
   *
   * @default 'json'
   */
  payload?: PayloadForm;
}

/**
 * Entries of one plain field, for streams of programs that know only that, such as STEP.
 *
 * An entry holds only the payload. A message with anything that would be lost is refused: headers, an ordering key, a name that
 * is not the stream's. The message ID is not stored either, so readers use the entry ID; nor is what Nest's dispatch hook
 * attaches. When publishing, the message ID still counts once within the window of `publishDedup`. On a stream with
 * `partitions`, an ordering key is accepted and chooses the partition; it is not stored, and the messages of a partition are
 * handled one after another.
 *
 * @example
 * ```ts
 * RedisStreamsModule.forRoot({
 *   group: 'billing',
 *   streams: { sensors: { codec: new FieldCodec({ field: 'data', payload: 'text' }) } },
 * });
 * ```
 */
export class FieldCodec implements Codec {
  readonly carriesKey: boolean = false;
  private readonly field: string;
  private readonly form: PayloadForm;

  /** @throws InvalidOptionsError */
  constructor(options: FieldCodecOptions) {
    checkCodecOptions('FieldCodec', options, ['field', 'payload']);
    checkFieldName('FieldCodec.field', options.field);
    this.field = options.field;
    this.form = options.payload ?? 'json';
  }

  encode(stream: string, { name, payload, headers, key }: MessageEnvelope): EntryFields {
    if (name !== stream) this.refuse(stream, 'name');
    if (headers !== undefined && Object.keys(headers).length > 0) this.refuse(stream, 'headers');
    if (key !== undefined) this.refuse(stream, 'ordering key');
    if (payload instanceof Uint8Array && this.form !== 'bytes') {
      throw new MessageEncodingError(stream, text.BYTES_IN_A_FIELD);
    }
    return [this.field, encodePayload(stream, this.form, payload)];
  }

  decode(fields: RawFields): DecodedEnvelope {
    let value: Buffer | undefined;
    for (let at = 0; at + 1 < fields.length; at += 2) {
      if (fields[at]?.toString() === this.field) value = fields[at + 1];
    }
    if (value === undefined) throw new MessageDecodingError(text.fieldMissing(this.field));
    return { payload: decodePayload(this.field, this.form, value) };
  }

  private refuse(stream: string, what: string): never {
    throw new MessageEncodingError(stream, text.notInOneField(what, this.field));
  }
}

shareClasses({ FieldCodec });
