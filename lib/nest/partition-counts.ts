import type { LoggerService } from '@nestjs/common';
import type { Redis } from 'ioredis';
import { streamKey } from '../wire/stream-keys.js';
import type { ResolvedServerOptions } from '../options/resolved-options.js';
import { compareEntryIds } from '../wire/ids.js';
import { readGroups, readStream } from '../redis/read/xinfo.js';
import { notePartitionCount } from '../redis/read/partition-records.js';
import { errorText, isRedisReply } from '../redis/server/redis-errors.js';
import * as text from './server.messages.js';

type Options = Pick<ResolvedServerOptions, 'keyPrefix' | 'group' | 'partitions'>;

/**
 * Notes for all how many partitions the streams have that are read here, and warns where others had another number, or where
 * something waits that is in no partition. It keeps nobody from reading.
 */
export async function notePartitionCounts(
  client: Redis,
  options: Options,
  streams: readonly string[],
  logger: LoggerService,
): Promise<void> {
  await Promise.all(
    streams.map(async (stream) => {
      const count = options.partitions.get(stream);
      if (count === undefined) return;
      try {
        await noteCount(client, options, stream, count, logger);
      } catch (error) {
        // A connection that drops is said by those who watch it.
        if (isRedisReply(error)) logger.warn(text.partitionsNotNoted(stream, errorText(error)));
      }
    }),
  );
}

async function noteCount(
  client: Redis,
  { keyPrefix, group }: Options,
  stream: string,
  count: number,
  logger: LoggerService,
): Promise<void> {
  const [noted, isLeft] = await Promise.all([
    notePartitionCount(client, keyPrefix, stream, count),
    isLeftOutside(client, streamKey(keyPrefix, stream), group),
  ]);
  if (noted !== undefined && noted !== count) {
    logger.warn(text.otherPartitions(stream, noted, count));
  }
  if (isLeft) logger.warn(text.outsidePartitions(stream, group));
}

/** Whether the stream has entries itself that the group has not finished: it has from before there were partitions. */
async function isLeftOutside(client: Redis, key: string, group: string): Promise<boolean> {
  const [info, groups] = await Promise.all([readStream(client, key), readGroups(client, key)]);
  if (info?.lastEntryId === undefined) return false;
  const its = groups.find(({ name }) => name === group);
  if (its === undefined) return true;
  return its.pending > 0 || compareEntryIds(its.lastDeliveredId, info.lastEntryId) < 0;
}
