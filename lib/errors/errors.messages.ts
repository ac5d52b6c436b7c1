export const invalidOption = (path: string, given: string, allowed: string): string =>
  `Option "${path}": given ${given}, allowed: ${allowed}`;

export const invalidStreamName = (stream: string): string =>
  `Stream name ${JSON.stringify(stream)}: allowed is a name that is not empty, and braces only as a hash tag that ` +
  'Redis Cluster reads, such as "{eu}:orders"';

export const messageNotEncodable = (stream: string, reason: string, index?: number): string =>
  index === undefined
    ? `A message for stream "${stream}" cannot be encoded, nothing was sent: ${reason}`
    : `Item ${index} of a batch for stream "${stream}" cannot be encoded, nothing of it was sent: ${reason}`;

export const messageNotValid = (stream: string, reason: string, index?: number): string =>
  index === undefined
    ? `A message of stream "${stream}" does not fit its schema: ${reason}`
    : `Item ${index} of a batch for stream "${stream}" does not fit its schema, nothing of it was sent: ${reason}`;

export const messageNotDecodable = (reason: string): string =>
  `The entry cannot be decoded: ${reason}`;

export const publishFailed = (
  stream: string,
  messageId: string,
  ambiguous: boolean,
  reason: string,
): string =>
  `Message ${messageId} for stream "${stream}" was not confirmed: ${reason}. ` +
  (ambiguous
    ? 'It may have arrived: publish it again with the same message ID.'
    : 'It did not arrive: publish it again.');

export const publishBatchFailed = (
  stream: string,
  all: number,
  published: number,
  ambiguous: number,
  reason: string,
): string =>
  `A batch of ${all} messages for stream "${stream}" was not confirmed: ${reason}. ` +
  `${published} are published, ${ambiguous} may be, ${all - published - ambiguous} are not: ` +
  'publish the others again with the same message IDs.';

export const cancelFailed = (
  stream: string,
  messageId: string,
  ambiguous: boolean,
  reason: string,
): string =>
  `Whether message ${messageId} for stream "${stream}" is cancelled was not confirmed: ${reason}. ` +
  (ambiguous ? 'It may be: cancel it again.' : 'It is not.');

export const connectionClosed = (waitingFor: string): string =>
  `Closed while waiting for ${waitingFor}`;

export const connectionEnded = (reason: string | undefined): string =>
  `The connection to Redis has ended${reason === undefined ? '' : `: ${reason}`}`;

export const unexpectedReply = (command: string): string =>
  `Redis answered ${command} in a form that is not known here`;

export const leaseLost = (stream: string, entryId: string): string =>
  `The lease of entry ${entryId} of stream "${stream}" is lost: another consumer may have the message`;

export const retryAsked = (delayMs: number): string => `Try again in ${delayMs} ms`;

export const settledAlready = (entryId: string): string =>
  `Entry ${entryId} was settled by hand already: the first of ack(), retry() and deadLetter() counts`;

export const handlerTimedOut = (stream: string, entryId: string, timeoutMs: number): string =>
  `The handler of entry ${entryId} of stream "${stream}" did not end within ${timeoutMs} ms`;

export const jobFailedFor = (streams: readonly string[], reason: string): string =>
  `Failed for ${streams.map((stream) => `stream "${stream}"`).join(', ')}: ${reason}`;

export const requestTimedOut = (stream: string, messageId: string, timeoutMs: number): string =>
  `No reply to request ${messageId} on stream "${stream}" within ${timeoutMs} ms`;

export const requestDuplicate = (stream: string, messageId: string): string =>
  `Request ${messageId} on stream "${stream}" was not sent: a message with its ID was published already, and whoever ` +
  'sent that one gets the replies';

export const replyInterrupted = (stream: string, messageId: string): string =>
  `The replies to request ${messageId} on stream "${stream}" broke off: its handler was begun again, and would give ` +
  'values that were given already';

export const requestAbandoned = (stream: string, messageId: string): string =>
  `Nobody waits for the reply to request ${messageId} on stream "${stream}" any longer`;

export const noAnswer = (timeoutMs: number): string =>
  `Redis did not answer within ${timeoutMs} ms`;
