import type { RedisSource } from './redis-source.js';

/** A Redis that answers, as `startRedis` gives it. */
export interface StartedRedis {
  /** What a client connects to, such as `redis://127.0.0.1:21345`. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly source: RedisSource;

  /** The server's process, where `startRedis` started it on this machine: sources `binary` and `apt`. */
  readonly process?: RedisProcess | undefined;

  /**
   * Ends what `startRedis` started, with its temporary directory. A server of `REDIS_URL` is left running. A second call
   * does nothing more.
   */
  stop(): Promise<void>;
}

/** A Redis server that can be killed and brought back, to test what a client does meanwhile. */
export interface RedisProcess {
  /** Process ID of the server, or `undefined` while it is down. */
  readonly pid: number | undefined;

  /** Where the server keeps its files. */
  readonly dir: string;

  /**
   * Ends the server and keeps its port and its files for `restart()`.
   *
   * @param signal `SIGKILL` unless given: nothing is flushed. `SIGTERM` lets it save first.
   */
  kill(signal?: 'SIGKILL' | 'SIGTERM'): Promise<void>;

  /**
   * Starts the server again on the same port and with the same files; one that still runs is killed first.
   *
   * @param options `args` take the place of those that it was started with.
   * @throws {@link RedisStartError} when it does not come back, or after `stop()`.
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
   * Arguments for the server, in place of those given before.
   *
   * @default those of the last start
   */
  readonly args?: readonly string[] | undefined;
}
