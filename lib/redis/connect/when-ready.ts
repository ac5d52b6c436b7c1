import { ConnectionEndedError } from '../../errors/redis.errors.js';
import type { Redis } from 'ioredis';
import { cleanCause, errorText } from '../server/redis-errors.js';

/** What is waited for, and what went wrong last with it. */
interface Awaited {
  readonly client: Redis;
  readonly lastError?: () => unknown;
}

/**
 * Waits until the connection can take commands.
 *
 * @throws the signal's reason where that comes first; ConnectionEndedError where it has come to its end
 */
export function whenReady({ client, lastError }: Awaited, signal: AbortSignal): Promise<void> {
  if (client.status === 'ready') return Promise.resolve();
  return new Promise((resolve, reject) => {
    const done = (): void => {
      client.off('ready', onReady);
      client.off('end', onEnd);
      signal.removeEventListener('abort', onAbort);
    };
    const onReady = (): void => {
      done();
      resolve();
    };
    const onAbort = (): void => {
      done();
      reject(signal.reason);
    };
    const onEnd = (): void => {
      done();
      const error = lastError?.();
      reject(
        error === undefined
          ? new ConnectionEndedError(undefined)
          : new ConnectionEndedError(errorText(error), { cause: cleanCause(error) }),
      );
    };
    if (signal.aborted) return onAbort();
    if (client.status === 'end') return onEnd();
    client.once('ready', onReady);
    client.once('end', onEnd);
    signal.addEventListener('abort', onAbort);
  });
}
