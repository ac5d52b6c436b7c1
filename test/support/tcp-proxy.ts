import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/**
 * Where a connection is reset: before Redis sees what was sent, or after Redis executed it, with its answer
 * dropped.
 */
export type ResetAt = 'before-request' | 'before-reply';

/** A proxy to Redis that can be broken. */
export interface TcpProxy {
  /** `redis://…` of the proxy. */
  readonly url: string;
  /** How many connections go through it now. */
  readonly connections: number;
  /**
   * Resets the connection on which the next matching request is sent, once.
   *
   * @param matches called with the raw data; a request is small enough to come in one piece
   * @returns resolves once it did
   */
  resetOnce(at: ResetAt, matches: (request: Buffer) => boolean): Promise<void>;
  /** Resets all connections. */
  resetAll(): void;
  /** Forwards nothing in either direction, and keeps the connections, until `thaw`. */
  freeze(): void;
  thaw(): void;
  /** The current connections forward nothing any more, and neither side is notified; new ones work. */
  deaden(): void;
  close(): Promise<void>;
}

interface Trap {
  readonly at: ResetAt;
  readonly matches: (request: Buffer) => boolean;
  readonly sprung: () => void;
}

export interface TcpProxyOptions {
  /** How much later everything arrives, in each direction, in ms. @default 0 */
  readonly latencyMs?: number;
}

/** Starts a proxy on a free port. */
export async function tcpProxy(
  targetUrl: string,
  { latencyMs = 0 }: TcpProxyOptions = {},
): Promise<TcpProxy> {
  const { hostname, port: targetPort } = new URL(targetUrl);
  const pairs = new Map<Socket, Socket>();
  let traps: Trap[] = [];
  let frozen = false;

  // Timers of the same length end in the order in which they began.
  const send = (to: Socket, data: Buffer): void => {
    if (latencyMs === 0) to.write(data);
    else setTimeout(() => to.writable && to.write(data), latencyMs);
  };

  const server = createServer((client) => {
    const redis = connect(Number(targetPort), hostname);
    pairs.set(client, redis);
    let dropsReplies = false;
    const end = (): void => {
      pairs.delete(client);
      reset(client);
      redis.destroy();
    };
    for (const socket of [client, redis]) socket.on('error', end).on('close', end).setNoDelay();
    client.on('data', (request) => {
      const trap = dropsReplies ? undefined : traps.find(({ matches }) => matches(request));
      if (trap === undefined) return send(redis, request);
      traps = traps.filter((other) => other !== trap);
      if (trap.at === 'before-request') {
        end();
        return trap.sprung();
      }
      dropsReplies = true;
      redis.once('data', () => {
        end();
        trap.sprung();
      });
      redis.write(request);
    });
    redis.on('data', (reply) => {
      if (!dropsReplies) send(client, reply);
    });
    if (frozen) for (const socket of [client, redis]) socket.pause();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;

  const all = (): Socket[] => [...pairs].flat();
  const resetAll = (): void => {
    for (const client of pairs.keys()) reset(client);
  };
  return {
    url: `redis://127.0.0.1:${port}`,
    get connections() {
      return pairs.size;
    },
    resetOnce: (at, matches) =>
      new Promise((sprung) => traps.push({ at, matches, sprung: () => sprung() })),
    resetAll,
    freeze: () => {
      frozen = true;
      for (const socket of all()) socket.pause();
    },
    thaw: () => {
      frozen = false;
      for (const socket of all()) socket.resume();
    },
    deaden: () => {
      for (const [client, redis] of pairs) {
        for (const socket of [client, redis]) socket.pause().removeAllListeners('data');
      }
    },
    close: async () => {
      resetAll();
      server.close();
      await once(server, 'close');
    },
  };
}

/** One that has already ended cannot be reset, and Node would keep its handle. */
function reset(socket: Socket): void {
  if (socket.readyState === 'open') socket.resetAndDestroy();
  else socket.destroy();
}
