import type { LoggerService } from '@nestjs/common';
import { FaultLog } from '../../redis/connect/fault-log.js';
import { errorText } from '../../redis/server/redis-errors.js';
import * as text from '../consumer.messages.js';

/** Logs which step of a stream's messages Redis refuses, once until it works again. */
export class StepFaults {
  private readonly log: FaultLog;

  constructor(
    logger: LoggerService,
    private readonly stream: string,
  ) {
    this.log = new FaultLog(logger);
  }

  failed(step: string, error: unknown): void {
    this.log.say(text.stepFailed(step, this.stream, errorText(error)), step);
  }

  worked(step: string): void {
    this.log.over(step);
  }
}
