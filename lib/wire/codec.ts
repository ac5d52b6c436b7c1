
/** A message as this package carries it: what the user sent, and what goes with it. */
export interface MessageEnvelope {
  /** What kind of message it is. */
  readonly name: string;
  readonly payload: unknown;
  /** The ID that its producer gave it; an entry without one goes by its entry ID. */
  readonly messageId?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** What Nest's dispatch hook attached. */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
  /** Ordering key. */
  readonly key?: string | undefined;
}

/** A message as an entry tells it. One that does not tell its name has that of its stream. */
export interface DecodedEnvelope extends Omit<MessageEnvelope, 'name'> {
  readonly name?: string | undefined;
}

/** An entry's fields as Redis has them, in their order: name, value, name, value … */
export type EntryFields = (string | Buffer)[];

/** The fields of an entry that was read, as bytes: name, value, name, value … */
export type RawFields = readonly Buffer[];

/**
 * How a message is written as an entry's fields, and read from them. `JsonCodec` is the default, `WatermillCodec` and
 * `FieldCodec` are for streams that other programs use too; one of your own has these two methods. It is used for many
 * messages, and waits for nothing: what it cannot do at once it cannot do.
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
   * Whether `decode` gives back the ordering key that `encode` was given. On a stream with `partitions` a consumer keeps messages
   * of one key in order by it; where it is not `true`, all messages of a partition are handled one after the other, as of
   * one key. `false` says besides that there is no room for a key: `encode` is given none then.
   *
   * @default undefined: nothing is relied on
   */
  readonly carriesKey?: boolean;
  /**
   * @param stream the stream's name, for errors
   * @throws MessageEncodingError where the message cannot be written: nothing is sent, and the caller gets the error
   */
  encode(stream: string, envelope: MessageEnvelope): EntryFields;
  /**
   * Fields can be anything, since any program can write them: look at them, never trust them.
   *
   * @throws MessageDecodingError where the fields are not what `encode` writes: the entry becomes a dead letter with this
   *   reason, which should not quote what is in the fields
   */
  decode(fields: RawFields): DecodedEnvelope;
}
