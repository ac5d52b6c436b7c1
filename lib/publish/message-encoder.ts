import type { ReadPacket } from '@nestjs/microservices';
import { randomUUID } from 'node:crypto';
import { inspect } from 'node:util';
import { MessageEncodingError, MessageValidationError } from '../errors/message.errors.js';
import { InvalidOptionsError } from '../errors/redis-streams.error.js';
import { isA } from '../errors/thrown.js';
import { publishLimitsOf, type ResolvedClientOptions } from '../options/resolved-options.js';
import { type StreamPattern, streamPattern } from '../options/stream-pattern.js';
import { encodeFields, type EntryFields, type MessageEnvelope } from '../wire/codec.js';
import { FieldCodec } from '../wire/field.codec.js';
import { placeOf } from '../wire/partitions.js';
import { isWildcard, requireKeysOfItsOwn } from '../wire/stream-names.js';
import { validate } from '../wire/payload-schema.js';
import { streamKey } from '../wire/stream-keys.js';
import type { OutgoingEntry } from './entry-publisher.js';
import * as text from './publish.messages.js';
import {
  isRecordOption,
  RedisStreamsRecord,
  type RedisStreamsRecordOptions,
} from './redis-streams.record.js';

/** What Nest gives to a client, and since Nest 12 what its dispatch hook attached. */
export type OutgoingPacket = ReadPacket & {
  readonly metadata?: Readonly<Record<string, unknown>>;
};

/** A message whose ID is fixed, and that is not encoded yet. */
export interface MessageDraft {
  readonly stream: string;
  readonly envelope: MessageEnvelope & { readonly messageId: string };
  /** Whether the ID was generated here, so that nobody else can have published it. */
  readonly idIsNew: boolean;
  /** See `OutgoingEntry`. */
  readonly due: string | undefined;
}

/** Resolves to the error if the payload turns out not to fit its schema. */
export type Validation = Promise<MessageValidationError | undefined>;

/** An entry that may be sent once its payload is validated. */
export interface EncodedMessage extends OutgoingEntry {
  /** `undefined` if the payload is known to be valid. */
  readonly validation: Validation | undefined;
}

/** UTF-8 takes at most so many bytes for a character of UTF-16. */
const MOST_BYTES_PER_CHARACTER = 3;

/** Turns packets into entries in two steps: packet or record to envelope, then envelope to entry fields. */
export class MessageEncoder {
  constructor(private readonly options: ResolvedClientOptions) {}

  /** @throws MessageEncodingError if the pattern or the record is wrong */
  draft({ pattern, data, metadata }: OutgoingPacket): MessageDraft {
    const { stream, name: nameInPattern } = publishTarget(pattern);
    const isRecord = isA(data, RedisStreamsRecord);
    const payload = isRecord ? data.payload : data;
    const options = isRecord ? optionsOf(stream, data) : {};
    const { messageId = randomUUID(), name = nameInPattern ?? stream, headers, key } = options;
    requireText(stream, 'message ID', messageId);
    requireText(stream, 'name', name);
    if (key !== undefined) requireText(stream, 'key', key);
    // Either may be the intended one, and the wrong one has other handlers, or none.
    if (nameInPattern !== undefined && name !== nameInPattern)
      throw new MessageEncodingError(stream, text.twoNames(nameInPattern, name));
    for (const [header, value] of Object.entries(headers ?? {})) {
      if (typeof value !== 'string')
        throw new MessageEncodingError(stream, text.notText(`header "${header}"`));
      requireUnicode(stream, `header "${header}"`, header + value);
    }
    return {
      stream,
      envelope: { name, payload, messageId, headers, metadata, key },
      idIsNew: options.messageId === undefined,
      due: dueTime(stream, options),
    };
  }

  /** @throws MessageEncodingError as `draft()` does, and if the message cannot be a request */
  draftRequest(packet: OutgoingPacket): MessageDraft {
    const { stream } = publishTarget(packet.pattern);
    if (!this.hasHeaders(stream)) {
      throw new MessageEncodingError(stream, text.CANNOT_CARRY_REQUESTS);
    }
    const draft = this.draft(packet);
    if (draft.due !== undefined) throw new MessageEncodingError(stream, text.NO_DELAYED_REQUESTS);
    return draft;
  }

  /**
   * Encodes the payload as it is now, even if its schema answers later.
   *
   * @throws MessageEncodingError if it cannot be written, or is too large
   * @throws MessageValidationError if it does not fit the schema of its stream
   */
  encode({ stream, envelope, idIsNew, due }: MessageDraft): EncodedMessage {
    const { keyPrefix, limits, maxPayloadBytes, codecs, partitions } = this.options;
    const { messageId } = envelope;
    const validation = this.validatePayload(stream, envelope.payload);
    requireKeysOfItsOwn(keyPrefix, stream, partitions);
    const count = partitions.get(stream);
    const key = streamKey(keyPrefix, placeOf(stream, count, envelope.key ?? messageId));
    const hidesKey = count !== undefined && codecs.plain(stream).carriesKey === false;
    const written = hidesKey ? { ...envelope, key: undefined } : envelope;
    const fields = encodeFields(codecs.of(stream), stream, written);
    requireFit(stream, fields, maxPayloadBytes);
    return {
      stream,
      key,
      messageId,
      idIsNew,
      fields,
      due,
      limits: publishLimitsOf(limits, stream),
      validation,
    };
  }

  /** Whether entries of the stream can carry headers, and anything else that is not payload. */
  hasHeaders(stream: string): boolean {
    return !(this.options.codecs.plain(stream) instanceof FieldCodec);
  }

  /**
   * Validates only: what the schema returns is not sent. The readers' schema gets what the caller gave, since a schema that
   * transforms a payload twice may give something else than one that does so once.
   */
  private validatePayload(stream: string, payload: unknown): Validation | undefined {
    const { schemas, publishTimeoutMs: timeoutMs } = this.options;
    const schema = schemas.get(stream);
    if (schema === undefined) return undefined;
    const result = validate(schema, stream, payload);
    if (result instanceof MessageValidationError) throw result;
    if (!(result instanceof Promise)) return undefined;
    return new Promise((resolve) => {
      // Not a PublishError, since nothing was sent. Messages behind this one must not wait for ever.
      const timer = setTimeout(() => {
        const cause = new Error(text.notValidatedInTime(timeoutMs));
        resolve(new MessageValidationError(stream, cause.message, { cause }));
      }, timeoutMs);
      void result.then((validated) => {
        clearTimeout(timer);
        resolve(validated instanceof MessageValidationError ? validated : undefined);
      });
    });
  }
}

/**
 * The stream, and perhaps the name, that a pattern stands for.
 *
 * @throws MessageEncodingError if it is no pattern, or a wildcard
 */
export function publishTarget(pattern: unknown): StreamPattern {
  const target = targetOf(pattern);
  if (isWildcard(target.stream)) throw new MessageEncodingError(target.stream, text.ONE_STREAM);
  return target;
}

function targetOf(pattern: unknown): StreamPattern {
  try {
    return streamPattern(pattern);
  } catch (cause) {
    if (!isA(cause, InvalidOptionsError)) throw cause;
    throw new MessageEncodingError(patternText(pattern), cause.message, { cause });
  }
}

const patternText = (pattern: unknown): string =>
  typeof pattern === 'string' ? pattern : inspect(pattern);

/**
 * The record may be of another copy of this package, which knows other options.
 *
 * @throws MessageEncodingError if it has an option that would be ignored
 */
function optionsOf(stream: string, { options }: RedisStreamsRecord): RedisStreamsRecordOptions {
  for (const [option, value] of Object.entries(Object(options))) {
    if (value === undefined || isRecordOption(option)) continue;
    throw new MessageEncodingError(stream, text.unknownOption(option));
  }
  return Object(options);
}

/** @throws MessageEncodingError if both times are set, or one is invalid */
function dueTime(
  stream: string,
  { delayMs, deliverAt }: RedisStreamsRecordOptions,
): string | undefined {
  if (delayMs === undefined && deliverAt === undefined) return undefined;
  if (delayMs !== undefined && deliverAt !== undefined) {
    throw new MessageEncodingError(stream, text.TWO_TIMES);
  }
  if (delayMs !== undefined) {
    if (!Number.isSafeInteger(delayMs) || delayMs < 0) {
      throw new MessageEncodingError(stream, text.notADelay(delayMs));
    }
    return `+${delayMs}`;
  }
  const at = deliverAt instanceof Date ? deliverAt.getTime() : Number.NaN;
  if (Number.isNaN(at)) throw new MessageEncodingError(stream, text.NOT_A_DATE);
  return String(at);
}

function requireText(stream: string, what: string, value: unknown): void {
  if (typeof value !== 'string' || value === '')
    throw new MessageEncodingError(stream, text.notText(what));
  requireUnicode(stream, what, value);
}

/** Two texts that differ only in such characters would arrive as the same one. */
function requireUnicode(stream: string, what: string, value: string): void {
  if (/\p{Surrogate}/u.test(value)) throw new MessageEncodingError(stream, text.notUnicode(what));
}

function requireFit(stream: string, fields: EntryFields, mostBytes: number): void {
  let length = 0;
  for (const field of fields) length += field.length;
  // Nearly all messages are far below the limit, and need not be counted in bytes.
  if (length * MOST_BYTES_PER_CHARACTER <= mostBytes) return;
  let bytes = 0;
  for (const field of fields) bytes += Buffer.byteLength(field);
  if (bytes > mostBytes) throw new MessageEncodingError(stream, text.tooLarge(bytes, mostBytes));
}
