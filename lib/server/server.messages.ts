export const patternLeftAlone = (pattern: string, why: string): string =>
  `Handler of ${pattern} is left alone: ${why}`;

export const NOT_A_STREAM = 'a stream is named by a string, or by { stream, name }';

export const processingHookFailed = (reason: string): string =>
  `A processing hook failed; the outcome of its message is that of the handlers: ${reason}`;

export const NOTHING_TO_READ = 'No handler names a stream: this server reads nothing';

export const NOT_LISTENING = 'There are no connections: the server does not listen';

export const LISTENING_ALREADY = 'The server listens already: close it first';

export const reading = (streams: readonly string[], group: string, consumer: string): string =>
  `Reading ${streams.map((stream) => `"${stream}"`).join(', ')} as group "${group}", consumer "${consumer}"`;
