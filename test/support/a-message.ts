import type { Message } from '../../lib/consume/message.js';
import { type EntryId, type MessageId, type RowId, isRedrive } from '../../lib/wire/ids.js';

/** A message as the decoder makes it, for tests that need no entry in Redis. */
export const aMessage = (
  rowId: string,
  messageId = rowId,
  more: Partial<Omit<Message, 'rowId' | 'messageId' | 'isRedrive'>> = {},
): Message => ({
  rowId: rowId as RowId,
  entryId: rowId as string as EntryId,
  messageId: messageId as MessageId,
  isRedrive: isRedrive(rowId),
  envelope: { name: 'orders', payload: null, headers: {}, messageId },
  fields: [],
  bytes: 0,
  request: undefined,
  isNew: false,
  givenSinceMs: undefined,
  partition: undefined,
  reservation: undefined,
  attempt: 1,
  runsAlone: false,
  ...more,
});
