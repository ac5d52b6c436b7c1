import { shown } from '../errors/thrown.js';
import { DELAY_ALLOWED } from '../errors/handler.errors.js';
import { LONGEST_IN_SHORT } from '../wire/dead-letter-fields.js';
import type { Message } from './message.js';

const at = (stream: string, group: string, entryId: string): string =>
  `stream "${shown(stream)}", group "${group}", entry ${shown(entryId)}`;

const of = (stream: string, group: string, message: Message): string =>
  `${at(stream, group, message.entryId)}, message ${shown(message.messageId)}, attempt ${message.attempt}`;

const because = (reason: string | undefined): string => (reason === undefined ? '' : `: ${reason}`);

export const putOff = (
  stream: string,
  group: string,
  message: Message,
  reason: string | undefined,
  delayMs: number,
): string =>
  `Failed, next attempt in ${delayMs} ms (${of(stream, group, message)})${because(reason)}`;

export const deadLettered = (
  stream: string,
  group: string,
  message: Message,
  reason: string | undefined,
  why: string,
): string => `Dead letter, ${why} (${of(stream, group, message)})${because(reason)}`;

export const noDelay = (stream: string, group: string, fault: string): string =>
  `Stream "${shown(stream)}", group "${group}": ${fault}. Allowed is ${DELAY_ALLOWED}, and of a backoff function also 'dead-letter'. The message waits as long as the backoff of the options says, or the default one. This is said once for each stream`;

export const deadLetterShortened = (stream: string, entryId: string, reason: string): string =>
  `Redis refused the dead letter of entry ${entryId} of stream "${stream}" for its size: ${reason}. So its dead letter has no values of more than ${LONGEST_IN_SHORT} bytes. The entry itself is in the stream until retention removes it`;

export const failedOnClose = (
  stream: string,
  group: string,
  message: Message,
  reason: string | undefined,
): string =>
  `Failed while closing, left to the group (${of(stream, group, message)})${because(reason)}`;

export const NOT_AN_INBOX = 'the request asks for its replies in a key that is not an inbox';

export const refusedStep = (step: string, reason: string): string =>
  `Redis refused to ${step}: ${reason}`;

export const leftPending = (
  stream: string,
  group: string,
  entryId: string,
  reason: string,
  delayMs: number,
): string =>
  `Left pending: Redis refused to write its dead letter: ${reason}. This process takes it again in ` +
  `${Math.round(delayMs / 1_000)} s at the earliest (${at(stream, group, entryId)})`;

export const lostWithLetter = (
  stream: string,
  group: string,
  entryId: string,
  reason: string,
): string =>
  `Lost: acknowledged before its handler ran (at-most-once), and Redis refused to write its dead letter: ${reason} ` +
  `(${at(stream, group, entryId)})`;

export const replyRefused = (inbox: string, reason: string): string =>
  `Redis refused the replies to the inbox "${shown(inbox)}": ${reason}. Its requests are settled without them`;

export const REQUEST_DUPLICATE =
  'A message with the ID of this request was settled before, so it is not run again';

export const repliesFailed = (reason: string): string =>
  `Replies could not be written: ${reason}. Trying again until it works`;

export const answeredWithError = (
  stream: string,
  group: string,
  message: Message,
  reason: string | undefined,
): string => `Request failed, its caller is told (${of(stream, group, message)})${because(reason)}`;

export const abandoned = (stream: string, group: string, message: Message): string =>
  `Nobody waits for this request any longer: it was not run, or was ended (${of(stream, group, message)})`;

export const entryNotDecodable = (
  stream: string,
  group: string,
  entryId: string,
  reason: string,
): string => `Dead letter, ${reason} (${at(stream, group, entryId)})`;

export const entryLost = (stream: string, group: string, entryId: string): string =>
  `Lost: the entry was deleted from its stream before it was handled (${at(stream, group, entryId)})`;

export const lostOnClose = (stream: string, group: string, entryId: string): string =>
  `Lost: acknowledged before its handler ran (at-most-once), and the consumer closed before that (${at(stream, group, entryId)})`;

export const stepFailed = (what: string, stream: string, reason: string): string =>
  `Redis refused to ${what} (stream "${shown(stream)}"): ${reason}. Trying again until it works`;

export const readFailed = (reason: string): string =>
  `Reading failed: ${reason}. Trying again until it works`;

export const wrongKey = (key: string, type: string): string =>
  `the key "${shown(key)}" holds a ${type}, which this package did not write: rename or delete it`;

export const setAside = (stream: string, group: string, reason: string): string =>
  `Stream "${shown(stream)}" is set aside, others are read on (group "${group}"). Redis refused it: ${reason}. ` +
  'It is tried again from time to time, at least every 30 s';

export const worksAgain = (stream: string, group: string): string =>
  `Stream "${shown(stream)}" works again and is read (group "${group}")`;

export const groupMade = (stream: string, group: string, from: string): string =>
  `Group "${group}" of stream "${shown(stream)}" was created, beginning after ${from}`;

export const groupSetBack = (stream: string, group: string, to: string): string =>
  `Group "${group}" of stream "${shown(stream)}" had been recreated too far ahead, and was set back to ${to}`;

export const streamGone = (stream: string): string =>
  `Stream "${shown(stream)}" is gone: it is read again once it exists again`;

export const lookFailed = (reason: string): string =>
  `Looking for streams that wildcards match failed: ${reason}. Trying again until it works`;

export const notAnnounced = (channel: string, reason: string): string =>
  `New streams that wildcards match are found only when they are looked for, every discoveryIntervalMs: ${reason}. ` +
  `To be told of them at once, the user needs the rights +subscribe and &${channel}`;

export const streamLeftAlone = (stream: string, reason: string): string =>
  `Stream "${shown(stream)}" is not read, although a wildcard matches it: ${reason}`;

export const stillRunning = (stream: string, running: number): string =>
  `${running} handler(s) of stream "${shown(stream)}" did not end in time; their messages stay pending`;

export const heldFull = (stream: string, held: number): string =>
  `${shown(stream)}: ${held} messages wait for retries of messages with their keys. No other keys are read until one of them is done`;

export const closedWithFault = (reason: string): string =>
  `A step of closing failed, and the connections are closed all the same: ${reason}`;

export const ttlNotRenewed = (stream: string, reason: string): string =>
  `Stream "${shown(stream)}" may expire although it is read, since its ttlMs could not be renewed: ${reason}`;

export const clockMoved = (movedMs: number): string =>
  `The clock of Redis moved ${movedMs < 0 ? 'back' : 'forward'} by ${(Math.abs(movedMs) / 1_000).toFixed(1)} s, or a server ` +
  'with another clock has taken over. Leases, retries and delays are timed by that clock: keep it right with NTP';

export const nameInUse = (group: string, consumer: string): string =>
  `Another process reads as consumer "${shown(consumer)}" of group "${shown(group)}". Each takes what the other has for its own, so messages may run twice and lose their order: give each process a name of its own, or leave "consumer" out`;
