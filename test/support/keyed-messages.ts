import { firstValueFrom } from 'rxjs';

import {
  type ClientRedisStreams,
  type PublishReceipt,
  type RedisStreamsRecord,
  RedisStreamsRecordBuilder,
} from '../../lib/index.js';
import { partitionName, partitionOf } from '../../lib/wire/partitions.js';

/** A record with an ordering key. */
export const keyed = (key: string, payload: unknown, messageId?: string): RedisStreamsRecord => {
  const builder = new RedisStreamsRecordBuilder(payload).setKey(key);
  return (messageId === undefined ? builder : builder.setMessageId(messageId)).build();
};

/** The Redis stream that has a key's messages. */
export const partitionFor = (stream: string, partitions: number, key: string): string =>
  partitionName(stream, partitionOf(key, partitions));

export const emitAll = (
  client: ClientRedisStreams,
  stream: string,
  items: readonly unknown[],
): Promise<PublishReceipt[]> => firstValueFrom(client.emitBatch(stream, items));
