import type { LoggerService } from '@nestjs/common';
import { errorText } from '../redis/server/redis-errors.js';
import * as text from './consumer.messages.js';
import { FaultLog } from '../redis/connect/fault-log.js';

/** Says in the log which step of a stream's messages fails, once until it works again. */
export function stepFaults(
  logger: LoggerService,
  stream: string,
): { onFault: (what: string, error: unknown) => void; onDone: (what: string) => void } {
  const faults = new FaultLog(logger);
  return {
    onFault: (what, error) => faults.say(text.stepFailed(what, stream, errorText(error)), what),
    onDone: (what) => faults.over(what),
  };
}
