import { shown } from '../errors/thrown.js';
import type { LoggerService } from '@nestjs/common';
import type { Redis } from 'ioredis';
import type { RetentionOptions } from '../options/stream-options.js';
import { type Holder, trimStreamScript } from '../redis/scripts/admin/trim-stream.script.js';
import { scanStreams } from '../redis/read/streams.js';
import { streamOfPartition } from '../wire/partitions.js';
import { isOwnKey, jobKey, streamKey } from '../wire/stream-keys.js';
import { keyPattern } from '../wire/stream-names.js';
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
  /** By stream, the group that keeps its entries and that nobody seems to use, as it was last logged. */
  private readonly unusedHolders = new Map<string, string>();

  constructor(
    private readonly context: JobContext,
    private readonly logger: LoggerService,
  ) {}

  async run(): Promise<JobResult> {
    const { options, connection } = this.context;
    const client = await connection();
    const names = await this.streams(client);
    return forEachStream(inPartitions(this.context, names), (stream, retention) => {
      const key = jobKey(options.keyPrefix, stream, 'retention');
      return withJobLock(client, key, () => this.trim(client, stream, retention));
    });
  }

  /** The streams that have a retention: those that are named, and those in Redis that a wildcard matches. */
  private async streams(client: Redis): Promise<(readonly [string, RetentionOptions])[]> {
    const { keyPrefix, retention, partitions } = this.context.options;
    const { wildcards } = retention;
    const names = new Set(retention.names);
    if (wildcards.length > 0) {
      for (const stream of partitions.keys()) names.add(stream);
      for await (const keys of scanStreams(client, keyPattern(keyPrefix, wildcards))) {
        for (const key of keys) {
          const stream = key.slice(keyPrefix.length);
          const isPartition = partitions.has(streamOfPartition(stream) ?? '');
          // The name of a partitioned stream stands for its partitions.
          if (!isOwnKey(key) && !isPartition) names.add(stream);
        }
      }
    }
    return [...names].flatMap((stream) => {
      const own = retention.get(stream);
      return own === undefined ? [] : [[stream, own] as const];
    });
  }

  private async trim(client: Redis, stream: string, retention: RetentionOptions): Promise<number> {
    const key = streamKey(this.context.options.keyPrefix, stream);
    const { maxAgeMs, maxLength, ignoreGroups = [], force = false } = retention;
    const args = [maxAgeMs ?? '', maxLength ?? '', STEP, force ? 1 : 0, ...ignoreGroups];
    let removed = 0;
    let lost = 0;
    let step;
    do {
      step = await trimStreamScript.run(client, [key], args);
      removed += step.removed;
      lost += step.lost;
    } while (step.more);
    this.reportHolder(stream, step.heldBy);
    if (lost > 0) {
      this.logger.warn(
        `Retention of stream "${shown(stream)}" is forced: up to ${lost} entries were removed that some group had not finished`,
      );
    }
    return removed;
  }

  /** Logs once that a group which nobody seems to use keeps entries. A group that is only behind is shown by the monitor. */
  private reportHolder(stream: string, holder: Holder | undefined): void {
    const { consumerIdleMs } = this.context.options.maintenance;
    if (holder === undefined || Number(holder.idleMs) < consumerIdleMs) {
      this.unusedHolders.delete(stream);
      return;
    }
    const { group, entryId, idleMs } = holder;
    if (this.unusedHolders.get(stream) === group) return;
    this.unusedHolders.set(stream, group);
    const since =
      idleMs === undefined ? 'has no consumers' : `had no active consumer for ${idleMs} ms`;
    this.logger.warn(
      `Retention of stream "${shown(stream)}" stops at entry ${shown(entryId)}, which group "${shown(group)}" has not finished. The group ${since}. If nobody uses it, delete it (XGROUP DESTROY) or name it in retention.ignoreGroups`,
    );
  }
}
