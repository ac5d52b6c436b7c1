import type { LoggerService } from '@nestjs/common';
import type { Redis } from 'ioredis';
import type { RetentionOptions } from '../options/stream-options.js';
import { trimStreamScript } from '../redis/scripts/admin/trim-stream.script.js';
import { jobKey, streamKey } from '../wire/stream-keys.js';
import {
  forEachStream,
  inPartitions,
  type JobContext,
  type JobResult,
  withJobLock,
} from './job.js';

/** How many entries one script examines: Redis serves nobody else meanwhile. */
const STEP = 1_000;

/**
 * Trims the streams that have a `retention`, by age and by length; never past an entry that some group has not
 * finished, unless forced. It runs every `maintenance.retentionIntervalMs`, on one instance at a time, and can be run
 * by hand.
 */
export class RetentionJob {
  constructor(
    private readonly context: JobContext,
    private readonly logger: LoggerService,
  ) {}

  async run(): Promise<JobResult> {
    const { options, connection } = this.context;
    const client = await connection();
    return forEachStream(inPartitions(this.context, options.retention), (stream, retention) => {
      const key = jobKey(options.keyPrefix, stream, 'retention');
      return withJobLock(client, key, () => this.trim(client, stream, retention));
    });
  }

  private async trim(client: Redis, stream: string, retention: RetentionOptions): Promise<number> {
    const key = streamKey(this.context.options.keyPrefix, stream);
    const { maxAgeMs, maxLength, ignoreGroups = [], force = false } = retention;
    const args = [maxAgeMs ?? '', maxLength ?? '', STEP, force ? 1 : 0, ...ignoreGroups];
    let removed = 0;
    let lost = 0;
    for (let more = true; more;) {
      const step = await trimStreamScript.run(client, [key], args);
      removed += step.removed;
      lost += step.lost;
      more = step.more;
    }
    if (lost > 0) {
      this.logger.warn(
        `Retention of stream "${stream}" is forced: up to ${lost} entries were removed that some group had not finished`,
      );
    }
    return removed;
  }
}
