import { RedisStreamsError } from './redis-streams.error.js';

/** The server is too old, or lacks commands that are needed. */
export class UnsupportedServerError extends RedisStreamsError {
  readonly code = 'UNSUPPORTED_SERVER';
}
