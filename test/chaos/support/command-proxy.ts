import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

import type { Script } from '../../../lib/redis/scripts/script.js';
import { RespFrames, wordsOf } from './resp-frames.js';

/** A command on its way to Redis: its words, first the name in lower case. */
type Command = readonly [name: string, ...args: string[]];

/** Whether a command matches. */
export type Match = (command: Command) => boolean;

/** Where a command is caught: before Redis sees it, or after Redis executed it and before its answer is forwarded. */
export type CaughtAt = 'request' | 'reply';

/** A command that was caught. Its connection forwards nothing in that direction until one of these is called. */
export interface Caught {
  readonly command: Command;
  /** Lets it continue as if nothing had happened. */
  release(): void;
  /** Resets the connection: what was held never arrives. */
  reset(): void;
}

/** A proxy to Redis that understands the commands it forwards, and can break at one of them. */
export interface CommandProxy {
  readonly url: string;
  /** Catches the next command that matches, once. */
  catchOnce(at: CaughtAt, matches: Match): Promise<Caught>;
  /** Resets all connections. */
  resetAll(): void;
  /** Forwards nothing in either direction, and keeps the connections, until `thaw`. */
  freeze(): void;
  thaw(): void;
  /** Resets all connections; new ones go to another Redis. */
  switchTo(targetUrl: string): void;
  close(): Promise<void>;
}

interface Trap {
  readonly at: CaughtAt;
  readonly matches: Match;
  readonly sprung: (caught: Caught) => void;
}

/** A command by its name, and if two words are needed by the second too. */
export const named =
  (name: string): Match =>
  ([first]) =>
    first === name;

/** A script, by its digest or whole. */
export const runsScript =
  ({ sha }: Pick<Script<unknown>, 'sha'>): Match =>
  ([name, script = '']) =>
    (name === 'evalsha' && script === sha) || (name === 'eval' && digestOf(script) === sha);

const digestOf = (lua: string): string => createHash('sha1').update(lua).digest('hex');

/** Starts a proxy on a free port. It supports RESP 2, without subscriptions. */
export async function commandProxy(firstTargetUrl: string): Promise<CommandProxy> {
  let target = new URL(firstTargetUrl);
  const connections = new Set<Connection>();
  const traps = new Set<Trap>();
  let frozen = false;
  const server = createServer((client) => {
    const redis = connect(Number(target.port), target.hostname);
    const connection = new Connection(client, redis, traps, () => connections.delete(connection));
    connections.add(connection);
    if (frozen) connection.pause();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const resetAll = (): void => {
    for (const connection of connections) connection.reset();
  };
  return {
    url: `redis://127.0.0.1:${port}`,
    catchOnce: (at, matches) => new Promise((sprung) => traps.add({ at, matches, sprung })),
    resetAll,
    freeze: () => {
      frozen = true;
      for (const connection of connections) connection.pause();
    },
    thaw: () => {
      frozen = false;
      for (const connection of connections) connection.resume();
    },
    switchTo: (targetUrl) => {
      target = new URL(targetUrl);
      resetAll();
    },
    close: async () => {
      resetAll();
      server.close();
      await once(server, 'close');
    },
  };
}

/** One connection through the proxy. */
class Connection {
  /** Sent to Redis, and not answered yet. */
  private readonly unanswered: Command[] = [];
  /** What is held back in a direction if something was caught in it. */
  private readonly held: Record<CaughtAt, Buffer[] | undefined> = {
    request: undefined,
    reply: undefined,
  };

  constructor(
    private readonly client: Socket,
    private readonly redis: Socket,
    private readonly traps: Set<Trap>,
    private readonly onEnd: () => void,
  ) {
    for (const socket of [client, redis]) {
      socket.setNoDelay();
      socket.on('error', this.reset).on('close', this.reset);
    }
    const requests = new RespFrames();
    const replies = new RespFrames();
    client.on('data', (chunk) => {
      for (const frame of requests.push(chunk)) this.onRequest(frame);
    });
    redis.on('data', (chunk) => {
      for (const frame of replies.push(chunk)) this.onReply(frame);
    });
  }

  readonly reset = (): void => {
    this.onEnd();
    // One that has already ended cannot be reset, and Node would keep its handle.
    if (this.client.readyState === 'open') this.client.resetAndDestroy();
    else this.client.destroy();
    this.redis.destroy();
  };

  pause(): void {
    for (const socket of [this.client, this.redis]) socket.pause();
  }

  resume(): void {
    for (const socket of [this.client, this.redis]) socket.resume();
  }

  private onRequest(frame: Buffer): void {
    if (this.held.request !== undefined) return void this.held.request.push(frame);
    const [name = '', ...args] = wordsOf(frame);
    const command: Command = [name.toLowerCase(), ...args];
    if (this.isCaught('request', command, frame)) return;
    this.unanswered.push(command);
    this.redis.write(frame);
  }

  private onReply(frame: Buffer): void {
    const command = this.unanswered.shift();
    if (this.held.reply !== undefined) return void this.held.reply.push(frame);
    // A script that Redis does not know was not run: it is sent again, whole.
    const unknown = frame.subarray(0, 9).toString() === '-NOSCRIPT';
    if (command !== undefined && !unknown && this.isCaught('reply', command, frame)) return;
    this.client.write(frame);
  }

  private isCaught(at: CaughtAt, command: Command, frame: Buffer): boolean {
    const trap = [...this.traps].find((it) => it.at === at && it.matches(command));
    if (trap === undefined) return false;
    this.traps.delete(trap);
    this.held[at] = [frame];
    trap.sprung({ command, reset: this.reset, release: () => this.release(at) });
    return true;
  }

  private release(at: CaughtAt): void {
    const frames = this.held[at] ?? [];
    this.held[at] = undefined;
    for (const frame of frames) {
      if (at === 'request') this.onRequest(frame);
      else this.client.write(frame);
    }
  }
}
