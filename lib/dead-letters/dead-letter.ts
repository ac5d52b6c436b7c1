import type { Codec, RawFields, DecodedEnvelope } from '../wire/codec.js';
import { publishedAtMs } from '../wire/ids.js';
import type { RawEntry } from '../redis/read/replies.js';
import { idOf, type PlacedEntry } from './dead-letter-places.js';
import { AT_MOST_ONCE, deadLetterParts } from '../wire/dead-letter-fields.js';

/** A message that will not be tried again, and why. */
export interface DeadLetter {
  /**
   * Its own ID, which `get`, `redrive` and `purge` take. It says when it was written; on a stream with `partitions` it begins
   * with its partition: `3:1729768245123-0`.
   */
  readonly id: string;
  /** The ID that its entry had in the stream. */
  readonly entryId: string;
  readonly stream: string;
  /** The partition that its entry was in; nothing where the stream has none. */
  readonly partition: number | undefined;
  readonly group: string;
  /** The consumer that gave it up. */
  readonly consumer: string;
  /** The message ID: the entry ID where the producer gave none, or the fields cannot be decoded. */
  readonly messageId: string;
  /** What kind of message it is; nothing where the fields cannot be decoded. */
  readonly name: string | undefined;
  /** Why it was given up. */
  readonly reason: string;
  /** What was thrown last, where anything was. */
  readonly error:
    | { readonly name: string; readonly message: string; readonly stack: string | undefined }
    | undefined;
  /** How many attempts were made; 0 where the fields cannot be decoded. */
  readonly attempts: number;
  /** By Redis's clock. */
  readonly failedAt: Date;
  /** The entry's fields byte for byte: name, value, name, value … */
  readonly fields: RawFields;
  /** Nothing where the fields cannot be decoded. */
  readonly payload: unknown;
  /** Empty where the producer sent none, or the fields cannot be decoded. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Makes a dead letter of what Redis has. Nothing in it is so wrong that it could not be looked at. */
export function toDeadLetter(
  placed: PlacedEntry,
  codec: Codec,
  where: { readonly stream: string; readonly group: string },
): DeadLetter {
  const { partition } = placed.place;
  const { id, fields: all = [] } = placed.entry;
  const { fields, cause } = deadLetterParts(all);
  const envelope = decoded(codec, fields);
  const entryId = cause.get('entry-id') ?? id;
  const stream = partition === undefined ? (cause.get('stream') ?? where.stream) : where.stream;
  const errorName = cause.get('error-name');
  return {
    id: idOf(placed),
    entryId,
    stream,
    partition,
    group: cause.get('group') ?? where.group,
    consumer: cause.get('consumer') ?? '',
    messageId: envelope?.messageId ?? entryId,
    name: envelope && (envelope.name ?? stream),
    reason: cause.get('reason') ?? '',
    error:
      errorName === undefined
        ? undefined
        : {
            name: errorName,
            message: cause.get('error-message') ?? '',
            stack: cause.get('error-stack'),
          },
    attempts: Number(cause.get('attempts') ?? 0),
    failedAt: new Date(Number(cause.get('failed-at') ?? publishedAtMs(id))),
    fields,
    payload: envelope?.payload,
    headers: envelope?.headers ?? {},
  };
}

/** The message ID that a redrive has to take out of the ledger, since at-most-once wrote it there; else nothing. */
export function idInLedger({ id, fields: all = [] }: RawEntry, codec: Codec): string | undefined {
  const { fields, cause } = deadLetterParts(all);
  if (cause.get('delivery') !== AT_MOST_ONCE) return undefined;
  return decoded(codec, fields)?.messageId ?? cause.get('entry-id') ?? id;
}

function decoded(codec: Codec, fields: RawFields): DecodedEnvelope | undefined {
  try {
    return codec.decode(fields);
  } catch {
    return undefined;
  }
}
