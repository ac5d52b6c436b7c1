import { PublishBatchError, type PublishBatchItem, PublishError } from '../errors/client.errors.js';
import { MessageEncodingError, MessageValidationError } from '../errors/message.errors.js';
import { RedisStreamsError } from '../errors/redis-streams.error.js';
import { thrownText } from '../errors/thrown-text.js';
import { isA } from '../errors/thrown.js';
import type {
  EntryPublisher,
  OutgoingEntry,
  PublishOutcome,
  PublishReceipt,
} from './entry-publisher.js';
import type {
  EncodedMessage,
  MessageDraft,
  MessageEncoder,
  OutgoingPacket,
  Validation,
} from './message-encoder.js';
import * as text from './publish.messages.js';

/** One round of a batch: how many entries, and about how many characters, are on their way to Redis at a time. */
const MOST_ENTRIES = 2_048;
const MOST_LENGTH = 4 * 1024 * 1024;

/**
 * Drafts the items of an `emitBatch()`.
 *
 * @throws MessageEncodingError, MessageValidationError with the index of the first item that cannot be published
 */
export function draftItems(
  encoder: MessageEncoder,
  stream: string,
  items: readonly unknown[],
  packetOf: (item: unknown) => OutgoingPacket,
): MessageDraft[] {
  if (!Array.isArray(items)) throw new MessageEncodingError(stream, text.NOT_A_LIST);
  const drafts: MessageDraft[] = [];
  items.forEach((item: unknown, index) => {
    try {
      // As in emit(), where Nest refuses it.
      if (item == null) throw new Error(text.nothingToSend(item));
      drafts.push(encoder.draft(packetOf(item)));
    } catch (error) {
      // An item before this one may be wrong too, and is then the one to report.
      encodeItems(encoder, stream, drafts);
      throw itemError(stream, index, error);
    }
  });
  return drafts;
}

/** @throws MessageEncodingError, MessageValidationError with the index of the first item that cannot be published */
export function encodeItems(
  encoder: MessageEncoder,
  stream: string,
  drafts: readonly MessageDraft[],
): EncodedMessage[] {
  return drafts.map((draft, index) => {
    try {
      return encoder.encode(draft);
    } catch (error) {
      throw itemError(stream, index, error);
    }
  });
}

/** Waits for all schemas that answer later. Resolves to the first error in the order of the items. */
export function validationOf(messages: readonly EncodedMessage[]): Validation | undefined {
  if (messages.every(({ validation }) => validation === undefined)) return undefined;
  return Promise.all(messages.map(({ validation }) => validation)).then((errors) => {
    const index = errors.findIndex((error) => error !== undefined);
    const error = errors[index];
    return error === undefined ? undefined : invalidItem(index, error);
  });
}

function itemError(stream: string, index: number, error: unknown): Error {
  if (isA(error, MessageValidationError)) return invalidItem(index, error);
  if (isA(error, MessageEncodingError)) {
    return new MessageEncodingError(error.stream, error.reason, { index, ...causeOf(error) });
  }
  // An error of the stream, such as a wrong name, is not the item's fault.
  if (isA(error, RedisStreamsError)) return error;
  return new MessageEncodingError(stream, thrownText(error), { index, cause: error });
}

const invalidItem = (index: number, error: MessageValidationError): MessageValidationError =>
  new MessageValidationError(error.stream, error.reason, {
    index,
    issues: error.issues,
    ...causeOf(error),
  });

const causeOf = ({ cause }: Error): ErrorOptions => (cause === undefined ? {} : { cause });

/**
 * Publishes entries of one stream, in their order, in rounds: each round waits for the answers to the one before it, and a
 * failure ends them.
 *
 * @throws PublishBatchError if not all are confirmed
 */
export async function publishInRounds(
  publisher: EntryPublisher,
  stream: string,
  entries: readonly OutgoingEntry[],
): Promise<PublishReceipt[]> {
  const outcomes: PublishOutcome[] = [];
  let failure: PublishError | undefined;
  while (outcomes.length < entries.length && failure === undefined && !publisher.isClosing) {
    const round = await publisher.publishAll(nextRound(entries, outcomes.length));
    for (const outcome of round) outcomes.push(outcome);
    failure = round.find((outcome) => outcome instanceof PublishError);
  }
  if (failure === undefined && outcomes.length === entries.length) {
    return outcomes as PublishReceipt[];
  }
  const reason = failure === undefined ? text.CLOSED : failure.reason;
  const items = entries.map(({ messageId }, index) => itemOf(messageId, outcomes[index], reason));
  throw new PublishBatchError(stream, items, reason, failure && causeOf(failure));
}

function nextRound(entries: readonly OutgoingEntry[], from: number): readonly OutgoingEntry[] {
  let to = from;
  let length = 0;
  while (to < entries.length && to - from < MOST_ENTRIES && length < MOST_LENGTH) {
    for (const field of entries[to]?.fields ?? []) length += field.length;
    to++;
  }
  return entries.slice(from, to);
}

function itemOf(
  messageId: string,
  outcome: PublishOutcome | undefined,
  reason: string,
): PublishBatchItem {
  if (outcome === undefined) {
    return { state: 'not-published', messageId, reason: text.notSentAfter(reason) };
  }
  if (outcome instanceof PublishError) {
    const state = outcome.ambiguous ? 'ambiguous' : 'not-published';
    return { state, messageId, reason: outcome.reason };
  }
  const { entryId, duplicate } = outcome;
  return { state: 'published', messageId, entryId, duplicate };
}
