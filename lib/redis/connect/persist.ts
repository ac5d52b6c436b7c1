import { setTimeout as delay } from 'node:timers/promises';
import { reconnectDelayMs } from './reconnect-delay.js';

/**
 * Does something in Redis until it succeeds or the signal ends it: for steps that can be done twice and must be done
 * once, while Redis may be away, loading, read-only or out of memory.
 *
 * @param onFault told each time it failed
 * @throws the signal's reason
 */
export async function persist<Result>(
  step: () => Promise<Result>,
  signal: AbortSignal,
  onFault: (error: unknown) => void,
): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    signal.throwIfAborted();
    try {
      return await step();
    } catch (error) {
      signal.throwIfAborted();
      onFault(error);
    }
    await delay(reconnectDelayMs(attempt), undefined, { signal });
  }
}
