export const NO_MODULE =
  'RedisStreamsHealthIndicator needs RedisStreamsModule in the same app: import it too';

export const CLOSING = 'the app is closing';

export const NOT_READING = 'the server does not listen';

export const readerQuiet = (quietMs: number, mostMs: number): string =>
  `the reader did not come round for ${Math.round(quietMs)} ms, and ${mostMs} are allowed`;

export const mayEvict = (policy: string): string =>
  `maxmemory-policy of Redis is "${policy}", which throws messages away`;

export const IS_REPLICA = 'Redis is a replica: nothing can be written to it';

export const groupMissing = (stream: string, group: string): string =>
  `stream "${stream}" has no group "${group}"`;

export const pendingTooOld = (stream: string, ageMs: number, mostMs: number): string =>
  `the oldest pending entry of stream "${stream}" is ${ageMs} ms old, and ${mostMs} are allowed`;

export const tooFarBehind = (stream: string, lag: number, most: number): string =>
  `stream "${stream}" has ${lag} unread entries, and ${most} are allowed`;

export const tooManyDeadLetters = (stream: string, count: number, most: number): string =>
  `stream "${stream}" has ${count} dead letters, and ${most} are allowed`;

export const nearRetention = (stream: string, headroom: number, least: number): string =>
  `unfinished entries of stream "${stream}" are about to be removed: headroom ${headroom.toFixed(2)}, and ${least} is the least`;
