/** A message with everything that travels with it. */
export interface MessageEnvelope {
  /** What kind of message it is. */
  readonly name: string;
  readonly payload: unknown;
  /** The ID that its producer gave it. A message without one has its entry ID. */
  readonly messageId?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** What Nest's dispatch hook attached. */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
  /** Ordering key. */
  readonly key?: string | undefined;
}

/** A message as it was read from an entry. If the entry has no name, the stream's name is used. */
export interface DecodedEnvelope extends Omit<MessageEnvelope, 'name'> {
  readonly name?: string | undefined;
}

/** An entry's fields in Redis's order: name, value, name, value … */
export type EntryFields = (string | Buffer)[];

/** The fields of an entry that was read, as bytes: name, value, name, value … */
export type RawFields = readonly Buffer[];

/**
 * How a message is written as an entry's fields, and read from them. `JsonCodec` is the default; `WatermillCodec` and
 * `FieldCodec` are for streams that other programs use too. Your own codec has the same two methods. They are synchronous, and
 * one codec serves many messages.
 *
 * @example
 * ```ts
 * class CsvCodec implements Codec {
 *   encode(stream: string, { payload }: MessageEnvelope): EntryFields {
 *     if (!Array.isArray(payload)) throw new MessageEncodingError(stream, 'the payload is not a list');
 *     return ['csv', payload.join(',')];
 *   }
 *   decode(fields: RawFields): DecodedEnvelope {
 *     const [name, csv] = fields;
 *     if (name?.toString() !== 'csv' || csv === undefined) throw new MessageDecodingError('field "csv" is missing');
 *     return { payload: csv.toString().split(',') };
 *   }
 * }
 *
 * RedisStreamsModule.forRoot({ group: 'billing', streams: { rates: { codec: new CsvCodec() } } });
 * ```
 */
export interface Codec {
  /**
   * Whether `decode` returns the ordering key that `encode` was given. On a stream with `partitions`, consumers need it to keep
   * the messages of a key in order. Unless it is `true`, all messages of a partition are handled one after another, as if they
   * had the same key. `false` also means that an entry cannot hold a key: `encode` then gets none.
   *
   * @default undefined: a key may or may not be returned
   */
  readonly carriesKey?: boolean;
  /**
   * @param stream the stream's name, for errors
   * @throws MessageEncodingError if the message cannot be written: nothing is sent, and the caller gets the error
   */
  encode(stream: string, envelope: MessageEnvelope): EntryFields;
  /**
   * Any program can write to a stream, so check the fields.
   *
   * @throws MessageDecodingError if `encode` would not write such fields: the entry becomes a dead letter with this reason,
   *   which should not quote the fields' values
   */
  decode(fields: RawFields): DecodedEnvelope;
}
