import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { constants } from 'node:fs';
import { access, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import {
  outputText,
  type RedisProcess,
  RedisStartError,
  type RestartOptions,
  type StartedRedis,
  type StartRedisOptions,
} from '../started-redis.js';
import { guardedChild, type GuardedChild } from './guarded-child.js';
import { answerOf, requireUsable } from './redis-probe.js';

const HOST = '127.0.0.1';
const STOP_WITHIN_MS = 5_000;
const READY_WITHIN_MS = 20_000;
const PORT_ATTEMPTS = 10;

/** A Redis server that runs as a child process, with its files. */
export class LocalRedis implements StartedRedis, RedisProcess {
  readonly host = HOST;
  readonly process = this;
  private stopping: Promise<void> | undefined;

  private constructor(
    readonly source: 'binary' | 'apt',
    private readonly options: ServerOptions,
    private run: ServerRun,
  ) {}

  /** @throws {@link RedisStartError} if the program does not answer, or is too old */
  static async start(
    binary: string,
    { args = [], port, dir }: StartRedisOptions,
    source: 'binary' | 'apt',
  ): Promise<LocalRedis> {
    const temporaryDir =
      dir === undefined ? await mkdtemp(join(tmpdir(), 'nestjs-redis-streams-')) : undefined;
    const options = { binary, port, dir: dir ?? temporaryDir ?? '', temporaryDir, args };
    try {
      return new LocalRedis(source, options, await ServerRun.start(options));
    } catch (error) {
      await removeDir(temporaryDir);
      throw error;
    }
  }

  get url(): string {
    return `redis://${this.host}:${this.port}`;
  }

  get port(): number {
    return this.run.port;
  }

  get pid(): number | undefined {
    return this.run.pid;
  }

  get dir(): string {
    return this.options.dir;
  }

  async kill(signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<void> {
    await this.run.end(signal, STOP_WITHIN_MS);
  }

  async restart(options: RestartOptions = {}): Promise<void> {
    await this.kill();
    if (this.stopping !== undefined) {
      throw new RedisStartError('this Redis was stopped with stop(), and cannot be started again');
    }
    this.run = await this.run.again(options.args);
  }

  stop(): Promise<void> {
    this.stopping ??= this.kill('SIGTERM').then(() => removeDir(this.options.temporaryDir));
    return this.stopping;
  }
}

async function removeDir(dir: string | undefined): Promise<void> {
  if (dir !== undefined) await rm(dir, { recursive: true, force: true });
}

interface ServerOptions {
  readonly binary: string;
  /** If undefined, a free port is chosen. */
  readonly port: number | undefined;
  readonly dir: string;
  /** The same directory, if it must be removed when this process dies. */
  readonly temporaryDir: string | undefined;
  readonly args: readonly string[];
}

/** One run of a server program, from its start until it has ended. */
class ServerRun {
  private constructor(
    private readonly options: ServerOptions,
    readonly port: number,
    private readonly child: GuardedChild,
  ) {}

  /** Starts the program and waits until it answers. */
  static async start(options: ServerOptions): Promise<ServerRun> {
    for (let attempt = 1; ; attempt++) {
      const run = ServerRun.begin(options, options.port ?? (await freePort()));
      try {
        await run.ready();
        return run;
      } catch (error) {
        await run.end('SIGKILL', 0);
        // Another process that looked for a free port at the same time may have taken this one.
        if (
          options.port !== undefined ||
          attempt === PORT_ATTEMPTS ||
          !/address already in use/i.test(run.child.output())
        ) {
          throw error;
        }
      }
    }
  }

  /** Starts the program again, on the same port. */
  again(args: readonly string[] | undefined): Promise<ServerRun> {
    return ServerRun.start({ ...this.options, port: this.port, args: args ?? this.options.args });
  }

  get pid(): number | undefined {
    return this.child.isGone() ? undefined : this.child.pid;
  }

  /** Ends the program with this signal, and kills it if that takes longer than `withinMs`. */
  async end(signal: 'SIGKILL' | 'SIGTERM', withinMs: number): Promise<void> {
    const kill = setTimeout(() => this.child.kill('SIGKILL'), withinMs);
    this.child.kill(signal);
    await this.child.gone;
    clearTimeout(kill);
  }

  private static begin(options: ServerOptions, port: number): ServerRun {
    const { binary, dir, temporaryDir, args } = options;
    const address = ['--port', String(port), '--bind', HOST];
    const files = ['--dir', dir, '--save', '', '--appendonly', 'no'];
    const child = guardedChild(binary, [...address, ...files, ...args], temporaryDir);
    return new ServerRun(options, port, child);
  }

  private async ready(): Promise<void> {
    const { binary } = this.options;
    const answer = await answerOf({ host: HOST, port: this.port }, READY_WITHIN_MS, {
      giveUp: () => this.child.isGone(),
      // If another process took the port, its server answers here while ours is about to fail.
      accept: ({ processId }) => processId === undefined || processId === this.child.pid,
    });
    if (answer === undefined) {
      const what = this.child.isGone()
        ? 'ended before it answered'
        : `did not answer within ${READY_WITHIN_MS} ms`;
      await this.end('SIGKILL', 0);
      throw new RedisStartError(`${binary} ${what}${outputText(this.child.output())}`);
    }
    requireUsable(answer.version);
    this.child.unref();
  }
}

/** The path of the first of these programs that is on the PATH, if any. */
export async function executablePath(...names: readonly string[]): Promise<string | undefined> {
  const directories = (process.env['PATH'] ?? '')
    .split(delimiter)
    .filter((directory) => directory !== '');
  for (const name of names) {
    for (const directory of directories) {
      const path = join(directory, name);
      if (await isExecutable(path)) return path;
    }
  }
  return undefined;
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/**
 * Below the range from which the kernel chooses outgoing ports. In that range a client that keeps connecting while its server
 * is down can end up connected to itself, and then the server cannot get its port back.
 */
const LOWEST = 20_000;
const HIGHEST = 30_000;
/** How many of these ports a process chooses from. Processes that start together, as test workers do, have different ones. */
const BLOCK = 250;
const ATTEMPTS = 50;
const FIRST = LOWEST + (process.pid % ((HIGHEST - LOWEST) / BLOCK)) * BLOCK;
const given = new Set<number>();

/**
 * A port on 127.0.0.1 that is free now, and that this process was not given before: a server that is down for a while finds its
 * port free when it is started again. Another process may take it before it is used.
 */
export async function freePort(): Promise<number> {
  if (given.size > BLOCK / 2) given.clear();
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const port = randomInt(FIRST, FIRST + BLOCK);
    if (given.has(port)) continue;
    given.add(port);
    if (await isFree(port)) return port;
  }
  throw new RedisStartError(`no free port found in ${ATTEMPTS} attempts`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    await once(server.listen(port, '127.0.0.1'), 'listening');
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}
