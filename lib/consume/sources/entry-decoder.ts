import type { LoggerService } from '@nestjs/common';
import type { Redis } from 'ioredis';
import type { Codec, RawFields } from '../../wire/codec.js';
import type { DecodedEnvelope, MessageEnvelope } from '../../wire/envelope.js';
import { splitRequest } from '../../wire/request-fields.js';
import { MessageDecodingError } from '../../errors/message.errors.js';
import { deadLetterParts } from '../../wire/dead-letter-parts.js';
import { isInboxKey } from '../../wire/inbox-keys.js';
import { isRedrive, streamIdOf } from '../../wire/redrive-member.js';
import type { StreamKeys } from '../../wire/stream-keys.js';
import { acknowledgeDeletedScript } from '../../redis/scripts/settle/acknowledge-deleted.script.js';
import { errorText } from '../../redis/server/redis-errors.js';
import type { RawEntry } from '../../redis/read/replies.js';
import * as text from '../consumer.messages.js';
import type { AsNew, StreamMessage } from '../stream-message.js';
import type { StreamTally } from '../stream-tally.js';

export interface EntryDecoderParts {
  readonly stream: string;
  readonly keys: StreamKeys;
  readonly group: string;
  readonly client: Redis;
  readonly codec: Codec;
  readonly tally: StreamTally;
  readonly logger: LoggerService;
  /** Given what no codec will ever read. */
  readonly onUndecodable: (
    entry: { id: string; originalId: string; fields: RawFields },
    reason: string,
    error: unknown,
  ) => void;
}

/** Makes messages of entries, and says of those that are none what became of them. */
export class EntryDecoder {
  constructor(private readonly parts: EntryDecoderParts) {}

  /**
   * @param asNew of one that Redis has just given out for the first time
   * @returns nothing where there is nothing to run
   */
  decode({ id, fields: read }: RawEntry, asNew?: AsNew): StreamMessage | undefined {
    const { stream, group, codec, logger, onUndecodable } = this.parts;
    if (read === undefined) {
      this.giveUp(id);
      return undefined;
    }
    const letter = isRedrive(id) ? asPublished(id, read) : undefined;
    const originalId = letter === undefined ? id : letter.originalId;
    const fields = letter === undefined ? read : letter.fields;
    try {
      const parts = splitRequest(fields);
      const request = parts?.request;
      // Whoever may publish a request is not to have us write anywhere else.
      if (request !== undefined && !isInboxKey(request.inbox)) {
        throw new MessageDecodingError(text.NOT_AN_INBOX);
      }
      const envelope = named(codec.decode(parts?.own ?? fields), stream);
      return {
        entryId: id,
        originalEntryId: originalId,
        messageId: envelope.messageId ?? originalId,
        envelope,
        fields,
        request,
        isNew: asNew !== undefined,
        givenSinceMs: asNew?.sinceMs,
        attempt: 1,
        alone: false,
      };
    } catch (error) {
      const known = error instanceof MessageDecodingError;
      const reason = known ? error.message : String(error);
      logger.error(text.entryNotDecodable(stream, group, originalId, reason));
      onUndecodable({ id, originalId, fields }, reason, error);
      return undefined;
    }
  }

  /** The entry was deleted while it was pending: there is nothing of it to handle or to keep. */
  private giveUp(id: string): void {
    const { stream, group, client, keys, tally, logger } = this.parts;
    tally.deleted(id);
    logger.error(text.entryLost(stream, group, id));
    acknowledgeDeletedScript
      .run(client, [keys.stream, keys.retries, keys.attempts], [group, id])
      .catch((error: unknown) => {
        logger.warn(text.stepFailed('acknowledge', stream, errorText(error)));
      });
  }
}

/** Without a copy where it has its name: this is done for every message. */
const named = (decoded: DecodedEnvelope, stream: string): MessageEnvelope =>
  hasName(decoded) ? decoded : { ...decoded, name: stream };

const hasName = (decoded: DecodedEnvelope): decoded is MessageEnvelope =>
  decoded.name !== undefined;

/** What a redrive brought, a dead letter, as it was published. */
function asPublished(id: string, read: RawFields): { originalId: string; fields: RawFields } {
  const { fields, cause } = deadLetterParts(read);
  return { originalId: cause.get('entry-id') ?? streamIdOf(id), fields };
}
