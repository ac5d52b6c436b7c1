import type { Redis } from 'ioredis';
import { jobKey, streamKey } from '../keys/stream-keys.js';
import { removeConsumerScript } from '../redis/scripts/remove-consumer.script.js';
import { readConsumers } from '../redis/stream-info.js';
import { inEachStream } from './each-stream.js';
import type { JobParts, JobResult } from './job.js';
import { withJobLock } from './job-lock.js';
import { subscribedPlaces } from './job-places.js';

/**
 * Removes consumers of this app's group that have been idle for `maintenance.consumerIdleMs` and have nothing pending. It
 * runs every `maintenance.consumersIntervalMs`, on one instance at a time, and can be run by hand.
 */
export class IdleConsumersJob {
  constructor(private readonly parts: JobParts) {}

  async run(): Promise<JobResult> {
    const { options, connection } = this.parts;
    const client = await connection();
    return inEachStream(subscribedPlaces(this.parts), (stream) => {
      const key = jobKey(options.keyPrefix, stream, 'consumers', options.group);
      return withJobLock(client, key, () => this.remove(client, stream));
    });
  }

  private async remove(client: Redis, stream: string): Promise<number> {
    const { keyPrefix, group, consumer, maintenance } = this.parts.options;
    const key = streamKey(keyPrefix, stream);
    let removed = 0;
    for (const { name, pending, idleMs } of await readConsumers(client, key, group)) {
      if (name === consumer || pending > 0 || idleMs < maintenance.consumerIdleMs) continue;
      removed += await removeConsumerScript.run(
        client,
        [key],
        [group, name, maintenance.consumerIdleMs],
      );
    }
    return removed;
  }
}
