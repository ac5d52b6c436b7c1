import { follow, operations, type SettledMessage, type SettleStep } from '../events/operations.js';
import type { StreamMessage } from './stream-message.js';

/** What is done in Redis with outcomes, as the log calls it. */
const STEPS = {
  commit: 'commit',
  release: 'release',
  'hand over': 'hand-over',
  'put back': 'put-back',
  'put off': 'retry',
  'write a dead letter': 'dead-letter',
  'count an attempt': 'count-attempt',
} as const satisfies Record<string, SettleStep>;

export type SettleWork = keyof typeof STEPS;

/** An entry that is settled: a message, or what no codec reads. */
export type SettledEntry = Pick<StreamMessage, 'entryId' | 'messageId'> &
  Partial<Pick<StreamMessage, 'envelope' | 'originalEntryId'>>;

/** Settles some entries with `send`, as an operation where anybody follows those. */
export function settleStep<Answer>(
  where: { readonly stream: string; readonly group: string; readonly consumer: string },
  work: SettleWork,
  entries: readonly SettledEntry[],
  send: () => Promise<Answer>,
): Promise<Answer> {
  if (!operations.settle.hasSubscribers) return send();
  const { stream, group, consumer } = where;
  const messages = entries.map((entry) => about(entry));
  const operation = { stream, group, consumer, step: STEPS[work], messages };
  return follow(operations.settle, operation, send);
}

function about({ entryId, originalEntryId, messageId, envelope }: SettledEntry): SettledMessage {
  return {
    entryId: originalEntryId ?? entryId,
    messageId,
    name: envelope?.name,
    headers: envelope?.headers ?? {},
  };
}
