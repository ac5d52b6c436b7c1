import { PublishBatchError, type PublishBatchItem, PublishError } from '../errors/client.errors.js';
import * as text from './client.messages.js';
import type { PublishReceipt } from './publish-receipt.js';
import type { Publisher, PublishOutcome, Publishing } from './publishing.js';

/** What is on its way to Redis at a time: so many messages, and about so many characters. */
const MOST_MESSAGES = 2_048;
const MOST_LENGTH = 4 * 1024 * 1024;

/**
 * Publishes messages of one stream, in their order. What fits goes out at once; of more, each round waits for the answers to
 * the one before it, and after a failure there is none.
 *
 * @throws PublishBatchError where not all are confirmed
 */
export async function publishInRounds(
  publisher: Publisher,
  stream: string,
  messages: readonly Publishing[],
): Promise<PublishReceipt[]> {
  const outcomes: PublishOutcome[] = [];
  let failure: PublishError | undefined;
  while (outcomes.length < messages.length && failure === undefined && !publisher.isClosing) {
    const its = await publisher.publishAll(nextRound(messages, outcomes.length));
    for (const outcome of its) outcomes.push(outcome);
    failure = its.find((outcome) => outcome instanceof PublishError);
  }
  if (failure === undefined && outcomes.length === messages.length) {
    return outcomes as PublishReceipt[];
  }
  const reason = failure === undefined ? text.CLOSED : failure.reason;
  const items = messages.map(({ messageId }, index) => itemOf(messageId, outcomes[index], reason));
  const { cause } = failure ?? {};
  throw new PublishBatchError(stream, items, reason, cause === undefined ? undefined : { cause });
}

function nextRound(messages: readonly Publishing[], from: number): readonly Publishing[] {
  let to = from;
  let length = 0;
  while (to < messages.length && to - from < MOST_MESSAGES && length < MOST_LENGTH) {
    for (const field of messages[to]?.fields ?? []) length += field.length;
    to++;
  }
  return messages.slice(from, to);
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
