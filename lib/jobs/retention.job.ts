import type { LoggerService } from '@nestjs/common';
import type { Redis } from 'ioredis';
import { jobKey, streamKey } from '../wire/stream-keys.js';
import type { RetentionOptions } from '../options/stream-options.js';
import { trimStreamScript } from '../redis/scripts/admin/trim-stream.script.js';
import { inEachStream } from './each-stream.js';
import type { JobParts, JobResult } from './job.js';
import { withJobLock } from './job-lock.js';
import { inPartitions } from './job-places.js';
import * as text from './jobs.messages.js';

/** How many entries one script looks at: Redis serves nobody else meanwhile. */
const STEP = 1_000;

/**
 * Trims the streams that have a `retention`, by age and by length; never past an entry that some group has not
 * finished, unless forced. It runs every `maintenance.retentionIntervalMs`, on one instance at a time, and can be run
 * by hand.
 */
export class RetentionJob {
  constructor(
    private readonly parts: JobParts,
    private readonly logger: LoggerService,
  ) {}

  async run(): Promise<JobResult> {
    const { options, connection } = this.parts;
    const client = await connection();
    return inEachStream(inPartitions(this.parts, options.retention), (stream, retention) => {
      const key = jobKey(options.keyPrefix, stream, 'retention');
      return withJobLock(client, key, () => this.trim(client, stream, retention));
    });
  }

  private async trim(client: Redis, stream: string, retention: RetentionOptions): Promise<number> {
    const key = streamKey(this.parts.options.keyPrefix, stream);
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
    if (lost > 0) this.logger.warn(text.trimmedUnread(stream, lost));
    return removed;
  }
}
