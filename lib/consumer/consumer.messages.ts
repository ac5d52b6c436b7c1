import type { StreamMessage } from './stream-message.js';

const at = (stream: string, group: string, entryId: string): string =>
  `stream "${stream}", group "${group}", entry ${entryId}`;

export const handlerFailed = (
  stream: string,
  group: string,
  { entryId, messageId }: StreamMessage,
  reason: string,
): string =>
  `Handler failed (${at(stream, group, entryId)}, message ${messageId}): ${reason}. The message stays pending`;

export const entryNotDecodable = (
  stream: string,
  group: string,
  entryId: string,
  reason: string,
): string => `${reason} (${at(stream, group, entryId)}). It stays pending`;

export const entryLost = (stream: string, group: string, entryId: string): string =>
  `Lost: the entry was deleted from its stream before it was handled (${at(stream, group, entryId)})`;

export const lostOnClose = (stream: string, group: string, entryId: string): string =>
  `Lost: acknowledged before its handler (at-most-once), and closed before it began (${at(stream, group, entryId)})`;

export const stepFailed = (what: string, stream: string, reason: string): string =>
  `Redis refused to ${what} (stream "${stream}"): ${reason}. Trying again until it does`;

export const readFailed = (reason: string): string =>
  `Reading failed: ${reason}. Trying again until it works`;

export const groupMade = (stream: string, group: string, from: string): string =>
  `Group "${group}" of stream "${stream}" made, beginning after ${from}`;

export const stillRunning = (stream: string, running: number): string =>
  `${running} handler(s) of stream "${stream}" did not end in time; their messages stay pending`;
