export const notText = (what: string): string => `its ${what} is not a text, or empty`;

export const NOT_A_STREAM = 'the pattern is neither the name of a stream nor { stream, name }';

export const twoNames = (inPattern: string, inRecord: string): string =>
  `its name is ${JSON.stringify(inPattern)} in the pattern and ${JSON.stringify(inRecord)} in the record`;

export const notInTime = (timeoutMs: number, sent: boolean): string =>
  sent ? `no answer within ${timeoutMs} ms` : `no connection within ${timeoutMs} ms`;

export const TWO_TIMES = 'its record sets both delayMs and deliverAt';

export const notADelay = (value: unknown): string =>
  `its delayMs is ${String(value)}; allowed is a whole number from 0 to ${Number.MAX_SAFE_INTEGER}`;

export const NOT_A_DATE = 'its deliverAt is not a Date, or an invalid one';

export const notListed = (reason: string): string =>
  `kept, and perhaps not found when it is due: ${reason}`;

export const emitFailed = (call: 'emit()' | 'emitBatch()', reason: string): string =>
  `${call} failed, and nobody observed it: ${reason}`;

export const NOT_A_LIST = 'a batch is a list of payloads or records';

export const nothingToSend = (value: null | undefined): string =>
  `it is ${value}; a record can carry null`;

export const tooLarge = (bytes: number, most: number): string =>
  `it takes ${bytes} bytes, and maxPayloadBytes is ${most}`;

export const notSentAfter = (reason: string): string =>
  `not sent, because one before it failed: ${reason}`;

export const limitFailed = (stream: string, reason: string): string =>
  `ttlMs of stream "${stream}" could not be set: ${reason}`;

export const notValidatedInTime = (timeoutMs: number): string =>
  `the schema gave no answer within ${timeoutMs} ms`;

export const CLOSED = 'the client was closed';

export const LEFT_THE_WINDOW =
  'no answer within the window of publishDedup, after which it is not sent again';

export const NOT_WRITTEN = 'Redis wrote no entry';

/** As Nest's own transports say it. */
export const NO_MESSAGE_HANDLER =
  'There is no matching message handler defined in the remote service.';

export const NO_PLACE_FOR_REQUESTS =
  'its FieldCodec writes entries of one field, where nothing could say that it is a request: use emit(), or another codec';

export const inboxFailed = (reason: string): string =>
  `Replies cannot be read: ${reason}. Trying again until they can`;

export const NO_REQUEST_LATER =
  'a request is sent now: its caller waits for the reply; setDelayMs() and setDeliverAt() are for emit()';

export const NOBODY_WAITS = 'nobody waits for a reply any longer';

export const otherPartitions = (stream: string, noted: number, count: number): string =>
  `Stream "${stream}" has ${count} partitions here, and ${noted} where it is read: set the same streams.${stream}.partitions in all services. Until then keys are out of order${count > noted ? `, and what goes to partition ${noted} or a higher one waits unread` : ''}`;
