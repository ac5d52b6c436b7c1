import type { Redis } from 'ioredis';
import { livingMembers, readMembers } from '../redis/read/own-records.js';
import { readConsumers } from '../redis/read/xinfo.js';
import { removeConsumerScript } from '../redis/scripts/admin/remove-consumer.script.js';
import { streamOfPlace } from '../wire/partitions.js';
import { jobKey, streamKeys } from '../wire/stream-keys.js';
import {
  forEachStream,
  type JobContext,
  type JobResult,
  subscribedStreams,
  withJobLock,
} from './job.js';

/**
 * Removes consumers of this app's group that have been idle for `maintenance.consumerIdleMs`, have no pending entries, and do
 * not report that they are alive: Redis 7.0 shows a consumer as idle while its read is blocked. It runs every
 * `maintenance.consumersIntervalMs`, on one instance at a time, and can be run by hand.
 */
export class IdleConsumersJob {
  constructor(private readonly context: JobContext) {}

  async run(): Promise<JobResult> {
    const { options, connection } = this.context;
    const client = await connection();
    return forEachStream(subscribedStreams(this.context), (stream) => {
      const key = jobKey(options.keyPrefix, stream, 'consumers', options.group);
      return withJobLock(client, key, () => this.remove(client, stream));
    });
  }

  private async remove(client: Redis, stream: string): Promise<number> {
    const { keyPrefix, group, consumer, partitions, maintenance } = this.context.options;
    const keys = streamKeys(keyPrefix, stream, group);
    const consumers = await readConsumers(client, keys.stream, group);
    const idle = consumers.filter(
      ({ name, pending, idleMs }) =>
        name !== consumer && pending === 0 && idleMs >= maintenance.consumerIdleMs,
    );
    if (idle.length === 0) return 0;
    // The script checks this too, but not for partitions: the members of their stream are recorded in another hash slot.
    const whole = streamOfPlace(stream, partitions);
    const alive = livingMembers(await readMembers(client, keyPrefix, whole, group));
    let removed = 0;
    for (const { name } of idle) {
      if (alive.some((member) => member.consumer === name)) continue;
      removed += await removeConsumerScript.run(
        client,
        [keys.stream, keys.members, keys.versions, keys.left],
        [group, name, maintenance.consumerIdleMs],
      );
    }
    return removed;
  }
}
