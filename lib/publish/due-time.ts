import { MessageEncodingError } from '../errors/message.errors.js';
import * as text from './client.messages.js';
import { RedisStreamsRecord } from './redis-streams.record.js';

/**
 * When a payload or record is to be published, as the scripts want it: `+` and ms from Redis's now on, or ms since 1970;
 * nothing where it is to be published at once.
 *
 * @throws MessageEncodingError where both times are set, or one is none
 */
export function dueTime(stream: string, data: unknown): string | undefined {
  if (!(data instanceof RedisStreamsRecord)) return undefined;
  const { delayMs, deliverAt } = data.options;
  if (delayMs === undefined && deliverAt === undefined) return undefined;
  if (delayMs !== undefined && deliverAt !== undefined) {
    throw new MessageEncodingError(stream, text.TWO_TIMES);
  }
  if (deliverAt === undefined) {
    if (!Number.isSafeInteger(delayMs) || Number(delayMs) < 0) {
      throw new MessageEncodingError(stream, text.notADelay(delayMs));
    }
    return `+${delayMs}`;
  }
  const at = deliverAt instanceof Date ? deliverAt.getTime() : Number.NaN;
  if (Number.isNaN(at)) throw new MessageEncodingError(stream, text.NOT_A_DATE);
  return String(at);
}
