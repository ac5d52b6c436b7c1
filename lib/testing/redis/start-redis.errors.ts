import { RedisStreamsError } from '../../errors/redis-streams.error.js';

/** A Redis server could not be started, or the one that answered cannot be used. The message says why. */
export class RedisStartError extends RedisStreamsError {
  readonly code = 'REDIS_NOT_STARTED';
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
