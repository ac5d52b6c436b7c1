import type { ServerConnectionRole } from '../consume/sources/connections.js';

/** The events of a client's connection, as ioredis names them. */
export interface RedisStreamsClientEvents extends Record<never, Function> {
  connect: () => void;
  ready: () => void;
  error: (error: Error) => void;
  close: () => void;
  reconnecting: () => void;
  end: () => void;
}

type ConnectionListener = (connection: ServerConnectionRole) => void;

/** The events of a server's connections, as ioredis names them. Each callback gets the role of the connection. */
export interface RedisStreamsEvents extends Record<string, Function> {
  connect: ConnectionListener;
  ready: ConnectionListener;
  error: (connection: ServerConnectionRole, error: Error) => void;
  close: ConnectionListener;
  reconnecting: ConnectionListener;
  end: ConnectionListener;
}
