import { setTimeout as delay } from 'node:timers/promises';
import { UnsupportedServerError } from '../../errors/redis.errors.js';
import { reconnectDelayMs } from '../../redis/connect/reconnect-delay.js';
import { isClusterFault, isRedisReply } from '../../redis/server/redis-errors.js';

/** Does a step, as it is. */
export const once = <Result>(step: () => Promise<Result>): Promise<Result> => step();

/**
 * Does a step that can be done twice until a cluster has an answer to it: while a node is replaced, its client gives up sooner
 * than the others have agreed on who follows.
 *
 * @throws what Redis refused; the signal's reason
 */
export async function throughFailover<Result>(
  step: () => Promise<Result>,
  signal: AbortSignal,
): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await step();
    } catch (error) {
      signal.throwIfAborted();
      const isAnswer = isRedisReply(error) && !isClusterFault(error);
      if (isAnswer || error instanceof UnsupportedServerError) throw error;
    }
    await delay(reconnectDelayMs(attempt), undefined, { signal });
  }
}
