import type { LoggerService } from '@nestjs/common';
import type { Redis } from 'ioredis';
import { InvalidRecordError } from '../errors/redis.errors.js';
import type { ResolvedClientOptions, ResolvedServerOptions } from '../options/resolved-options.js';
import type { OpenedConnection } from '../redis/connect/opened-connection.js';
import { compareEntryIds } from '../wire/ids.js';
import { readGroups, readStream } from '../redis/read/xinfo.js';
import { notePartitionCount, readPartitionCount } from '../redis/read/own-records.js';
import { errorText, isRedisReply } from '../redis/server/redis-errors.js';
import { streamKey } from '../wire/stream-keys.js';
import * as text from './nest.messages.js';

type ServerOptions = Pick<ResolvedServerOptions, 'keyPrefix' | 'group' | 'partitions'>;

/**
 * For a client: warns once, when it is connected, if the readers of a stream have another number of partitions. Publishing does
 * not wait for it. If the readers' number cannot be read, nothing is logged.
 */
export async function comparePartitionCounts(
  connection: OpenedConnection,
  { keyPrefix, partitions }: Pick<ResolvedClientOptions, 'keyPrefix' | 'partitions'>,
  logger: LoggerService,
): Promise<void> {
  if (partitions.size === 0) return;
  try {
    const client = await connection.ready();
    await Promise.all(
      [...partitions].map(async ([stream, count]) => {
        const noted = await readPartitionCount(client, keyPrefix, stream);
        if (noted !== undefined && noted !== count) {
          logger.warn(text.readersHaveOtherPartitions(stream, noted, count));
        }
      }),
    );
  } catch (error) {
    if (error instanceof InvalidRecordError) logger.warn(text.partitionsInvalid(error.message));
    // A user who may only publish may not read it; and a broken connection is logged elsewhere.
  }
}

/**
 * For a server: notes the number of partitions of its streams in Redis. Warns if the number was another one, or if the stream has
 * unfinished entries that are in no partition. Reading does not wait for it.
 */
export async function notePartitionCounts(
  client: Redis,
  options: ServerOptions,
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
        // A dropped connection is logged elsewhere.
        if (isRedisReply(error)) logger.warn(text.partitionsNotNoted(stream, errorText(error)));
      }
    }),
  );
}

async function noteCount(
  client: Redis,
  { keyPrefix, group }: ServerOptions,
  stream: string,
  count: number,
  logger: LoggerService,
): Promise<void> {
  const [noted, hasEntriesOutside] = await Promise.all([
    notePartitionCount(client, keyPrefix, stream, count),
    hasUnfinishedEntries(client, streamKey(keyPrefix, stream), group),
  ]);
  if (noted instanceof InvalidRecordError) logger.warn(text.partitionsReplaced(noted.message));
  else if (noted !== undefined && noted !== count) {
    logger.warn(text.othersHaveOtherPartitions(stream, noted, count));
  }
  if (hasEntriesOutside) logger.warn(text.outsidePartitions(stream, group));
}

async function hasUnfinishedEntries(client: Redis, key: string, name: string): Promise<boolean> {
  const [info, groups] = await Promise.all([readStream(client, key), readGroups(client, key)]);
  if (info?.lastEntryId === undefined) return false;
  const group = groups.find((each) => each.name === name);
  if (group === undefined) return true;
  return group.pending > 0 || compareEntryIds(group.lastDeliveredId, info.lastEntryId) < 0;
}
