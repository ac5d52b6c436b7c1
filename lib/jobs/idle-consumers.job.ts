import type { Redis } from 'ioredis';
import { streamOfPlace } from '../wire/partitions.js';
import { jobKey, streamKeys } from '../wire/stream-keys.js';
import { livingMembers, readMembers } from '../redis/read/group-members.js';
import { removeConsumerScript } from '../redis/scripts/admin/remove-consumer.script.js';
import { readConsumers } from '../redis/read/xinfo.js';
import { inEachStream } from './each-stream.js';
import type { JobParts, JobResult } from './job.js';
import { withJobLock } from './job-lock.js';
import { subscribedPlaces } from './job-places.js';

/**
 * Removes consumers of this app's group that have been idle for `maintenance.consumerIdleMs`, have nothing pending and are
 * not alive: Redis 7.0 calls one idle whose read waits for long. It runs every
 * `maintenance.consumersIntervalMs`, on one instance at a time, and can be run by hand.
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
    const { keyPrefix, group, consumer, partitions, maintenance } = this.parts.options;
    const keys = streamKeys(keyPrefix, stream, group);
    const consumers = await readConsumers(client, keys.stream, group);
    const idle = consumers.filter(
      ({ name, pending, idleMs }) =>
        name !== consumer && pending === 0 && idleMs >= maintenance.consumerIdleMs,
    );
    if (idle.length === 0) return 0;
    // The script looks too, but the record of a stream with partitions is in another hash slot than they are.
    const whole = streamOfPlace(stream, partitions);
    const alive = livingMembers(await readMembers(client, keyPrefix, whole, group));
    let removed = 0;
    for (const { name } of idle) {
      if (alive.some((member) => member.consumer === name)) continue;
      removed += await removeConsumerScript.run(
        client,
        [keys.stream, keys.members, keys.versions],
        [group, name, maintenance.consumerIdleMs],
      );
    }
    return removed;
  }
}
