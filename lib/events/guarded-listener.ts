import { types } from 'node:util';
import { SafeLogger } from '../errors/safe-logger.js';
import { thrownText } from '../errors/thrown-text.js';

const logger = new SafeLogger('RedisStreamsEvents');

/**
 * Calls a listener of the app. If it throws, or returns a promise that rejects, that is logged, and once for each text: Node would
 * end the process.
 */
export function guardedListener<Event>(
  channel: string,
  listener: (event: Event) => unknown,
): (event: Event) => void {
  let said: string | undefined;
  const onFault = (error: unknown): void => {
    const text = `A listener of ${channel} failed: ${thrownText(error)}. No message is affected`;
    if (text !== said) logger.error(text);
    said = text;
  };
  return (event) => {
    try {
      const result = listener(event);
      if (types.isPromise(result)) result.catch(onFault);
    } catch (error) {
      onFault(error);
    }
  };
}
