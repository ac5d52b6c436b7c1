import { shareClasses } from '../../errors/copies.js';
import { RedisStreamsError } from '../../errors/redis-streams.error.js';

/** A Redis server could not be started, or the one that answered cannot be used. The message says why. */
export class RedisStartError extends RedisStreamsError {
  readonly code = 'REDIS_NOT_STARTED';

  constructor(message: string, options?: ErrorOptions) {
    super(message, options, 'lines');
  }
}

/** A source of a Redis that `startRedis` tried, and why it gave none. */
export interface FailedWay {
  readonly way: string;
  readonly reason: string;
}

/** `startRedis` tried all sources, and none gave a Redis. The message names each, and why it failed. */
export class RedisNotFoundError extends RedisStreamsError {
  readonly code = 'REDIS_NOT_FOUND';

  constructor(
    /** The sources that were tried, in that order. */
    readonly failed: readonly FailedWay[],
    options?: ErrorOptions,
  ) {
    super(
      [
        'No Redis could be found or started:',
        ...linesOf(failed),
        'Any one of these is enough: REDIS_URL set to a running server; redis-server or valkey-server on the PATH; ' +
          'Docker, with the package testcontainers installed; or root on Debian or Ubuntu, so that redis-server can be ' +
          'installed with apt-get.',
      ].join('\n'),
      options,
      'lines',
    );
  }
}

/** The failed sources, a line each. */
export const linesOf = (failed: readonly FailedWay[]): string[] =>
  failed.map(({ way, reason }) => `  - ${way}: ${reason}`);

/** The output of a program, for an error. */
export function outputText(output: string): string {
  const text = output.trim();
  return text === '' ? ', without any output' : `; its output:\n${text.replace(/^/gm, '      ')}`;
}

/** The message of a thrown value. */
export const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

/**
 * Where a Redis of `startRedis` comes from: `REDIS_URL`, a server program on the PATH, a Docker container, or a server
 * program that was installed with `apt-get` first.
 */
export type RedisSource = 'url' | 'binary' | 'docker' | 'apt';

/** The server that `startRedis` should give. With any of these it starts a new server, and ignores `REDIS_URL`. */
export interface StartRedisOptions {
  /**
   * Arguments for the server, after those of `startRedis` (`--save '' --appendonly no`), so these win. Use them to test what
   * survives a restart.
   *
   * @default []
   * @example ['--appendonly', 'yes', '--appendfsync', 'always']
   */
  readonly args?: readonly string[] | undefined;

  /**
   * TCP port to listen on, 1 to 65535. Set it only if clients must know it beforehand: if it is taken, that is an error.
   *
   * @default a free port
   */
  readonly port?: number | undefined;

  /**
   * Existing directory for the server's files; it is not removed. Set it to look at the files, or to start again from them.
   *
   * @default an empty temporary directory, removed by `stop()`, or when the process ends without it
   */
  readonly dir?: string | undefined;

  /**
   * Path of the server program. Set it to test with a version that is not on the PATH; no other source is tried then.
   *
   * @default `redis-server` or `valkey-server` on the PATH
   */
  readonly binary?: string | undefined;
}

/** A running Redis, as `startRedis` gives it. */
export interface StartedRedis {
  /** The URL for clients, such as `redis://127.0.0.1:21345`. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly source: RedisSource;

  /** The server's process, if `startRedis` started it on this machine: sources `binary` and `apt`. */
  readonly process?: RedisProcess | undefined;

  /**
   * Ends what `startRedis` started, and removes its temporary directory. A server of `REDIS_URL` keeps running. A second call
   * does nothing.
   */
  stop(): Promise<void>;
}

/** A Redis server that can be killed and restarted, to test what a client does meanwhile. */
export interface RedisProcess {
  /** Process ID of the server, or `undefined` while it is down. */
  readonly pid: number | undefined;

  /** The directory of the server's files. */
  readonly dir: string;

  /**
   * Ends the server, and keeps its port and its files for `restart()`.
   *
   * @param signal by default `SIGKILL`, which flushes nothing. `SIGTERM` lets it save first.
   */
  kill(signal?: 'SIGKILL' | 'SIGTERM'): Promise<void>;

  /**
   * Starts the server again on the same port and with the same files. If it still runs, it is killed first.
   *
   * @param options `args` replace those of the last start
   * @throws {@link RedisStartError} if it does not start, or after `stop()`
   * @example
   * const redis = await startRedis({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] });
   * await redis.process?.kill();
   * await redis.process?.restart();
   */
  restart(options?: RestartOptions): Promise<void>;
}

/** How `RedisProcess.restart` starts the server again. */
export interface RestartOptions {
  /**
   * Arguments for the server, instead of those of the last start.
   *
   * @default those of the last start
   */
  readonly args?: readonly string[] | undefined;
}

/** A source that `startRedis` tries. */
export interface Source {
  readonly name: string;
  /**
   * @param failed the sources that were tried before
   * @throws {@link RedisStartError} if it gives no Redis, and the next source should be tried
   */
  start(options: StartRedisOptions, failed: readonly FailedWay[]): Promise<StartedRedis>;
}

shareClasses({ RedisStartError, RedisNotFoundError });
