import { InvalidOptionsError } from '../errors/redis-streams.error.js';
import type { RawEntry } from '../redis/read/replies.js';
import { type Codec, decodeEnvelope, type MessageEnvelope, type RawFields } from '../wire/codec.js';
import { AT_MOST_ONCE, deadLetterParts } from '../wire/dead-letter-fields.js';
import { publishedAtMs } from '../wire/ids.js';
import { partitionNames } from '../wire/partitions.js';
import { type StreamKeys, streamKeys } from '../wire/stream-keys.js';

/** Where Redis keeps a group's dead letters: with the stream, or with each of its partitions. */
export interface DeadLetterPlace {
  readonly partition: number | undefined;
  readonly keys: StreamKeys;
}

/** A dead letter as Redis stores it, and its place. */
export interface PlacedEntry {
  readonly place: DeadLetterPlace;
  readonly entry: RawEntry;
}

/** The ID of a dead letter in Redis, and its place. */
export interface PlacedId {
  readonly place: DeadLetterPlace;
  readonly id: string;
}

/** All places of the dead letters of one group of one stream. */
export class DeadLetterPlaces {
  readonly all: readonly DeadLetterPlace[];

  constructor(keyPrefix: string, stream: string, group: string, partitions: number | undefined) {
    this.all =
      partitions === undefined
        ? [{ partition: undefined, keys: streamKeys(keyPrefix, stream, group) }]
        : partitionNames(stream, partitions).map((name, partition) => ({
            partition,
            keys: streamKeys(keyPrefix, name, group),
          }));
  }

  /**
   * Parses the ID of a dead letter. Entries of two partitions may have the same ID in Redis, so there it includes the partition.
   *
   * @param path the option that held the ID, for the error
   * @throws InvalidOptionsError if it names a partition that does not exist, or none although the stream has partitions
   */
  find(given: string, path: string): PlacedId {
    const isPartitioned = this.all[0]?.partition !== undefined;
    const [, partition, id = given] = /^(\d+):(.*)$/.exec(given) ?? [];
    const isComplete = isPartitioned === (partition !== undefined);
    const place = isComplete ? this.all[Number(partition ?? 0)] : undefined;
    if (place !== undefined) return { place, id };
    throw new InvalidOptionsError(
      path,
      JSON.stringify(given),
      isPartitioned
        ? `the ID of a dead letter with its partition (0 to ${this.all.length - 1}) before it, such as "0:1729768245123-0"`
        : 'the ID of a dead letter without a partition: the options name none for its stream',
    );
  }
}

/** The ID that users know a dead letter by. */
const idOf = ({ place: { partition }, entry: { id } }: PlacedEntry): string =>
  partition === undefined ? id : `${partition}:${id}`;

/** The last error of a dead letter. */
export interface DeadLetterError {
  /** Its class. */
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  /** Its `cause` chain and the `errors` of an `AggregateError`: a line each. */
  readonly causes: string | undefined;
  /**
   * What it says beside its message, as JSON: what `getResponse()` or `getError()` of one of Nest's exceptions returns, such as
   * the faults of the fields that ValidationPipe found, or an object that was thrown and is no error.
   */
  readonly details: string | undefined;
}

/** A message that will not be tried again, and why. */
export interface DeadLetter {
  /**
   * Its own ID, for `get`, `redrive` and `purge`. It tells when it was written; if the stream has `partitions`, it begins with
   * the partition: `3:1729768245123-0`.
   */
  readonly id: string;
  /** The ID of its entry in the stream. */
  readonly entryId: string;
  readonly stream: string;
  /** The partition of its entry, if the stream has partitions. */
  readonly partition: number | undefined;
  readonly group: string;
  /** The consumer that gave up. */
  readonly consumer: string;
  /** The message ID; the entry ID if the producer set none, or if the fields cannot be decoded. */
  readonly messageId: string;
  /** The kind of message; `undefined` if the fields cannot be decoded. */
  readonly name: string | undefined;
  /** Why it was given up. */
  readonly reason: string;
  /** The last error, if there was one. */
  readonly error: DeadLetterError | undefined;
  /**
   * What of the reason and the error was cut, since a dead letter keeps 16 KiB of them: `message`, `stack`, … Empty if all was
   * kept. What was cut ends with `…`.
   */
  readonly cut: readonly string[];
  /** How many attempts were made; 0 if the fields cannot be decoded. */
  readonly attempts: number;
  /** When the last attempt failed, by Redis's clock. */
  readonly failedAt: Date;
  /** The entry's fields byte for byte: name, value, name, value … */
  readonly fields: RawFields;
  /** `undefined` if the fields cannot be decoded. */
  readonly payload: unknown;
  /** Empty if the producer set none, or if the fields cannot be decoded. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Decodes a dead letter. It never throws: a broken dead letter can be inspected too. */
export function toDeadLetter(
  placed: PlacedEntry,
  codec: Codec,
  whose: { readonly stream: string; readonly group: string },
): DeadLetter {
  const { partition } = placed.place;
  const { id, fields: all = [] } = placed.entry;
  const { fields, cause } = deadLetterParts(all);
  const entryId = cause.get('entry-id') ?? id;
  const stream = partition === undefined ? (cause.get('stream') ?? whose.stream) : whose.stream;
  const envelope = decoded(codec, stream, fields);
  const errorName = cause.get('error-name');
  return {
    id: idOf(placed),
    entryId,
    stream,
    partition,
    group: cause.get('group') ?? whose.group,
    consumer: cause.get('consumer') ?? '',
    messageId: envelope?.messageId ?? entryId,
    name: envelope?.name,
    reason: cause.get('reason') ?? '',
    error:
      errorName === undefined
        ? undefined
        : {
            name: errorName,
            message: cause.get('error-message') ?? '',
            stack: cause.get('error-stack'),
            causes: cause.get('error-causes'),
            details: cause.get('error-details'),
          },
    cut: cause.get('cut')?.split(', ') ?? [],
    attempts: Number(cause.get('attempts') ?? 0),
    failedAt: new Date(Number(cause.get('failed-at') ?? publishedAtMs(id))),
    fields,
    payload: envelope?.payload,
    headers: envelope?.headers ?? {},
  };
}

/** The message ID that a redrive has to remove from the ledger: only at-most-once has written it there. */
export function idInLedger({ id, fields: all = [] }: RawEntry, codec: Codec): string | undefined {
  const { fields, cause } = deadLetterParts(all);
  if (cause.get('delivery') !== AT_MOST_ONCE) return undefined;
  return decoded(codec, '', fields)?.messageId ?? cause.get('entry-id') ?? id;
}

function decoded(codec: Codec, stream: string, fields: RawFields): MessageEnvelope | undefined {
  try {
    return decodeEnvelope(codec, stream, fields);
  } catch {
    return undefined;
  }
}
