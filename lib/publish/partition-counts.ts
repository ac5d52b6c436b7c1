import type { LoggerService } from '@nestjs/common';
import type { ResolvedClientOptions } from '../options/resolved-options.js';
import type { OpenedConnection } from '../redis/connect/opened-connection.js';
import { readPartitionCount } from '../redis/read/partition-records.js';
import * as text from './client.messages.js';

/**
 * Warns where the readers of a stream know another number of partitions than this client: once, when it has a connection. Nothing that
 * is published waits for it, and where it cannot be known nothing is said.
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
          logger.warn(text.otherPartitions(stream, noted, count));
        }
      }),
    );
  } catch {
    // Who may only publish may not ask; and what is wrong with the connection is said by others.
  }
}
