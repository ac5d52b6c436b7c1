import { shown } from '../errors/thrown.js';
import { DELAYED_STREAMS_KEY } from '../wire/stream-keys.js';
import { RECORD_OPTIONS } from './redis-streams.record.js';

export const notText = (what: string): string => `its ${what} is not a text, or empty`;

export const notUnicode = (what: string): string =>
  `its ${what} has unpaired surrogates, which UTF-8 cannot encode`;

export const ONE_STREAM =
  'a message goes to one stream, and "*" in a pattern stands for many: give the full name of a stream';

export const twoNames = (inPattern: string, inRecord: string): string =>
  `its name is ${JSON.stringify(inPattern)} in the pattern and ${JSON.stringify(inRecord)} in the record`;

export const unknownOption = (option: string): string =>
  `its record has the option "${shown(option)}", and allowed are ${RECORD_OPTIONS}`;

export const TWO_TIMES = 'its record sets both delayMs and deliverAt';

export const notADelay = (value: unknown): string =>
  `its delayMs is ${String(value)}; allowed is a whole number from 0 to ${Number.MAX_SAFE_INTEGER}`;

export const NOT_A_DATE = 'its deliverAt is not a Date, or an invalid one';

export const tooLarge = (bytes: number, most: number): string =>
  `it takes ${bytes} bytes, and maxPayloadBytes is ${most}`;

export const notValidatedInTime = (timeoutMs: number): string =>
  `the schema gave no answer within ${timeoutMs} ms`;

export const CANNOT_CARRY_REQUESTS =
  'its FieldCodec writes entries of one field, which cannot be marked as requests: use emit(), or another codec';

export const NO_DELAYED_REQUESTS =
  'a request is sent now, since its caller waits for the reply; setDelayMs() and setDeliverAt() are for emit()';

export const NOT_A_LIST = 'a batch is a list of payloads or records';

export const nothingToSend = (value: null | undefined): string =>
  `it is ${value}; a record can carry null`;

export const notSentAfter = (reason: string): string =>
  `not sent, because one before it failed: ${reason}`;

/** @param fault why there is no connection at present, if that is known */
export const notInTime = (
  timeoutMs: number,
  sent: boolean,
  fault: { readonly reason: string } | undefined,
): string =>
  `no ${sent ? 'answer' : 'connection'} within ${timeoutMs} ms${fault === undefined ? '' : `: ${fault.reason}`}`;

export const CLOSED = 'the client was closed';

/** @param fault why there is no connection, if that is known */
export const closedUnsent = (fault: { readonly reason: string } | undefined): string =>
  fault === undefined ? CLOSED : `${CLOSED} without a connection: ${fault.reason}`;

export const NOT_WRITTEN = 'Redis wrote no entry';

export const LEFT_THE_WINDOW =
  'no answer within the window of publishDedup, after which it is not sent again';

export const notListed = (reason: string): string =>
  `stored, but perhaps not found when it is due: ${reason}`;

export const ttlFailed = (stream: string, reason: string): string =>
  `ttlMs of stream "${shown(stream)}" could not be set: ${reason}`;

export const delayedNotChecked = (reason: string): string =>
  `Cannot look for delayed messages that are due: ${reason}. Trying again until it works`;

export const listNotRead = (reason: string): string =>
  `Cannot look into the list "${DELAYED_STREAMS_KEY}" of streams with delayed messages: ${reason}. Streams that are read or published to here are looked into all the same. If the key holds something else, delete it`;

export const delayedRefused = (streamKey: string, reason: string): string =>
  `Delayed messages of stream "${streamKey}" are due and cannot be published: ${reason}. Trying again until it works`;

export const delayedUnreadable = (streamKey: string, count: number): string =>
  `Delayed messages of stream "${streamKey}" that hold no entry were removed: ${count}. Another program wrote them`;
