import type { ServerConnectionRole } from '../consume/sources/connections.js';

type Told = (connection: ServerConnectionRole) => void;

/** The events of a server's connections, as ioredis names them. Each callback is told which connection it was. */
export interface RedisStreamsEvents extends Record<string, Function> {
  connect: Told;
  ready: Told;
  error: (connection: ServerConnectionRole, error: Error) => void;
  close: Told;
  reconnecting: Told;
  end: Told;
}
