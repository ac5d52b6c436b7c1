import { shareClasses } from './copies.js';
import { shown } from './thrown.js';
import { RedisStreamsError } from './redis-streams.error.js';

/** The server or client was closed while something still waited for Redis. */
export class ConnectionClosedError extends RedisStreamsError {
  readonly code = 'CONNECTION_CLOSED';

  constructor(readonly waitingFor: string) {
    super(`Closed while waiting for ${waitingFor}`);
  }
}

/**
 * A connection has ended and will not be opened again: a client certificate or its key cannot be read, your own
 * `retryStrategy` gave up, or your own ioredis instance was closed.
 */
export class ConnectionEndedError extends RedisStreamsError {
  readonly code = 'CONNECTION_ENDED';

  constructor(
    /** What ended it, if that is known. */
    readonly reason: string | undefined,
    options?: ErrorOptions,
  ) {
    super(`The connection to Redis has ended${reason === undefined ? '' : `: ${reason}`}`, options);
  }
}

/**
 * A client has no connection yet after its `publishTimeoutMs`. It goes on trying, and what it publishes has a `publishTimeoutMs` of
 * its own. `cause` is what the connection failed with last.
 */
export class NotConnectedError extends RedisStreamsError {
  readonly code = 'NOT_CONNECTED';

  constructor(
    /** How long the connection was waited for. */
    readonly timeoutMs: number,
    /** Why there is no connection, if that is known. */
    readonly reason: string | undefined,
    options?: ErrorOptions,
  ) {
    super(
      `No connection to Redis within ${timeoutMs} ms${reason === undefined ? '' : `: ${reason}`}. The client goes on trying: publish, or call connect() again`,
      options,
    );
  }
}

/** Redis did not answer in time, or there is no connection to ask it on. */
export class NoAnswerError extends RedisStreamsError {
  readonly code = 'NO_ANSWER';

  constructor(
    /** How long the answer was waited for. */
    readonly timeoutMs: number,
  ) {
    super(`Redis did not answer within ${timeoutMs} ms`);
  }
}

/** Redis gave a reply that this package does not understand, as a proxy in between might. */
export class UnexpectedReplyError extends RedisStreamsError {
  readonly code = 'UNEXPECTED_REPLY';

  constructor(readonly command: string) {
    super(`Redis answered ${command} in a form that is not known here`);
  }
}

/** A key that this package writes holds something that it never writes. */
export class InvalidRecordError extends RedisStreamsError {
  readonly code = 'INVALID_RECORD';

  constructor(
    readonly key: string,
    /** What the key holds, shortened. */
    readonly given: string,
    readonly allowed: string,
  ) {
    super(
      `The key "${shown(key)}" holds ${given}, allowed: ${allowed}. Delete it: the next server that starts writes it again`,
    );
  }
}

/** In an error. */
const MOST_REFUSED = 10;

/**
 * Redis refuses all streams that a server or a pull reads, because of a key of another type or a missing right, so it does not
 * start. If it refuses only some of them, the others are read. `cause` is the first refusal.
 */
export class StreamsRefusedError extends RedisStreamsError {
  readonly code = 'STREAMS_REFUSED';

  constructor(
    readonly group: string,
    /** Why, for each stream. */
    readonly refused: readonly { readonly stream: string; readonly reason: string }[],
    options: ErrorOptions,
  ) {
    const some = refused
      .slice(0, MOST_REFUSED)
      .map(({ stream, reason }) => `stream "${shown(stream)}": ${reason}`);
    if (refused.length > MOST_REFUSED) some.push(`${refused.length - MOST_REFUSED} more`);
    super(`Group "${shown(group)}" cannot start, Redis refuses ${some.join('; ')}`, options);
  }
}

/** The server is too old, or lacks commands that are needed. */
export class UnsupportedServerError extends RedisStreamsError {
  readonly code = 'UNSUPPORTED_SERVER';
}

/** A job failed for some streams; for the others it succeeded. `cause` is the first failure. */
export class JobFailedError extends RedisStreamsError {
  readonly code = 'JOB_FAILED';

  constructor(
    /** The streams for which it failed. */
    readonly streams: readonly string[],
    /** How many things it still removed. */
    readonly removed: number,
    reason: string,
    options: ErrorOptions,
  ) {
    super(
      `Failed for ${streams.map((stream) => `stream "${shown(stream)}"`).join(', ')}: ${reason}`,
      options,
    );
  }
}

shareClasses({
  ConnectionClosedError,
  ConnectionEndedError,
  NotConnectedError,
  NoAnswerError,
  UnexpectedReplyError,
  InvalidRecordError,
  StreamsRefusedError,
  UnsupportedServerError,
  JobFailedError,
});
