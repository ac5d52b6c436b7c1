import type { LoggerService } from '@nestjs/common';
import type { Invoke } from '../consume/stream-place.js';
import type { Subscription } from './handler-registry.js';
import * as text from './nest.messages.js';

/**
 * Says once for a stream that an event arrives and all handlers answer requests, or the reverse: nobody handles it, and most often
 * a decorator or a call is the wrong one of two.
 */
export function sayingWrongKind(
  invoke: Invoke,
  { stream, handlers }: Subscription,
  group: string,
  logger: LoggerService,
): Invoke {
  const answering = handlers.filter(({ answers }) => answers).length;
  if (answering > 0 && answering < handlers.length) return invoke;
  const takesRequests = answering > 0;
  const line = takesRequests
    ? text.eventForAnswerers(stream, group)
    : text.requestForListeners(stream, group);
  let isSaid = false;
  return (message, signal) => {
    if (!isSaid && (message.request !== undefined) !== takesRequests) {
      isSaid = true;
      logger.warn(line);
    }
    return invoke(message, signal);
  };
}
