/** The events of a client's connection, as ioredis names them. */
export interface RedisStreamsClientEvents extends Record<never, Function> {
  connect: () => void;
  ready: () => void;
  error: (error: Error) => void;
  close: () => void;
  reconnecting: () => void;
  end: () => void;
}
