export const notText = (what: string): string => `its ${what} is not a text, or empty`;

export const NOT_A_STREAM = 'the pattern is neither the name of a stream nor { stream, name }';

export const twoNames = (inPattern: string, inRecord: string): string =>
  `its name is ${JSON.stringify(inPattern)} in the pattern and ${JSON.stringify(inRecord)} in the record`;

export const notInTime = (timeoutMs: number, sent: boolean): string =>
  sent ? `no answer within ${timeoutMs} ms` : `no connection within ${timeoutMs} ms`;

export const emitFailed = (reason: string): string =>
  `emit() failed, and nobody observed it: ${reason}`;

export const CLOSED = 'the client was closed';

export const LEFT_THE_WINDOW =
  'no answer within the window of publishDedup, after which it is not sent again';

export const NOT_WRITTEN = 'Redis wrote no entry';

export const INSTEAD_OF_SEND = 'publish with emit()';
