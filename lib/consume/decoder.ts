import { MessageDecodingError } from '../errors/message.errors.js';
import { thrownText } from '../errors/thrown-text.js';
import { bytesOf } from '../redis/read/recent-size.js';
import type { RawEntry } from '../redis/read/replies.js';
import {
  publishedAtMs,
  isRedrive as isRedriveId,
  streamIdOf,
  type EntryId,
  type MessageId,
  type RowId,
} from '../wire/ids.js';
import { type Codec, decodeEnvelope, type RawFields } from '../wire/codec.js';
import { deadLetterParts } from '../wire/dead-letter-fields.js';
import { isInboxKey } from '../wire/stream-keys.js';
import { splitRequest } from '../wire/request-reply-fields.js';
import * as text from './consumer.messages.js';
import type { Message, UnreadableEntry } from './message.js';

/** How an entry came to this consumer. */
export interface Arrival {
  /** Whether Redis has just given it out for the first time. */
  readonly isNew: boolean;
  /** What Redis's clock showed before that, in ms; undefined if that is not known. */
  readonly sinceMs?: number | undefined;
}

/** Makes messages of entries. */
export class Decoder {
  /** @param partition the number of the partition that the entries are in, if the stream has any */
  constructor(
    private readonly stream: string,
    private readonly codec: Codec,
    private readonly partition?: number,
  ) {}

  /** @returns undefined if the entry was deleted while it was pending: nothing of it is left to handle */
  decode(
    { id, fields: read }: RawEntry,
    { isNew, sinceMs }: Arrival,
  ): Message | UnreadableEntry | undefined {
    if (read === undefined) return undefined;
    const rowId = id as RowId;
    const isRedrive = isRedriveId(id);
    const letter = isRedrive ? deadLetterParts(read) : undefined;
    const entryId = (
      letter === undefined ? id : (letter.cause.get('entry-id') ?? streamIdOf(id))
    ) as EntryId;
    const fields = letter === undefined ? read : letter.fields;
    const bytes = bytesOf(read);
    try {
      const { request, envelope } = this.read(fields);
      return {
        rowId,
        entryId,
        messageId: (envelope.messageId ?? entryId) as MessageId,
        isRedrive,
        envelope,
        fields,
        bytes,
        request,
        isNew,
        givenSinceMs: sinceMs,
        partition: this.partition,
        reservation: undefined,
        attempt: 1,
        runsAlone: false,
      };
    } catch (error) {
      const reason = thrownText(error);
      return { rowId, entryId, isRedrive, fields, bytes, reason, error };
    }
  }

  private read(fields: RawFields): Pick<Message, 'request' | 'envelope'> {
    const parts = splitRequest(fields);
    const request = parts?.request;
    // Whoever may publish a request must not make us write anywhere else.
    if (request !== undefined && !isInboxKey(request.inbox)) {
      throw new MessageDecodingError(text.NOT_AN_INBOX);
    }
    return { request, envelope: decodeEnvelope(this.codec, this.stream, parts?.own ?? fields) };
  }
}

/** The entry ID of what Redis gave to the group; undefined for a redrive, which is given by its row. */
export const givenEntryId = ({ id }: RawEntry): EntryId | undefined =>
  isRedriveId(id) ? undefined : (id as EntryId);

export const isUnreadable = (decoded: Message | UnreadableEntry): decoded is UnreadableEntry =>
  'reason' in decoded;

/** When a message was published, in ms by Redis's clock; undefined for a redrive, which was asked for later. */
export const publishedMs = ({ isRedrive, entryId }: Message): number | undefined =>
  isRedrive ? undefined : publishedAtMs(entryId);
