import { RedisStreamsError } from './redis-streams.error.js';
import { connectionClosed } from './errors.messages.js';

/** The server or client was closed while something still waited for Redis. */
export class ConnectionClosedError extends RedisStreamsError {
  readonly code = 'CONNECTION_CLOSED';

  constructor(readonly waitingFor: string) {
    super(connectionClosed(waitingFor));
  }
}
