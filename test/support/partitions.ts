import type { Redis } from 'ioredis';

import { partitionName, partitionOf } from '../../lib/wire/partitions.js';
import { isCaughtUp } from './group-state.js';

export interface KeyedEntry {
  readonly body: unknown;
  /** Without one the message ID determines the partition. */
  readonly key?: string;
  readonly id?: string;
}

/**
 * Writes entries of a stream with partitions as this package's client does, in one pipeline. @returns their
 * entry IDs
 */
export async function addToPartitions(
  client: Redis,
  stream: string,
  partitions: number,
  entries: readonly KeyedEntry[],
): Promise<string[]> {
  const pipeline = client.pipeline();
  for (const { body, key, id } of entries) {
    const name = partitionName(stream, partitionOf(key ?? id ?? '', partitions));
    const fields = ['name', stream, 'body', JSON.stringify(body)];
    if (id !== undefined) fields.push('id', id);
    if (key !== undefined) fields.push('key', key);
    pipeline.xadd(name, '*', ...fields);
  }
  const replies = (await pipeline.exec()) ?? [];
  return replies.map(([, id]) => String(id));
}

/** Whether everything in all partitions was delivered to the group, and nothing of it is pending. */
export async function arePartitionsCaughtUp(
  client: Redis,
  stream: string,
  partitions: number,
  group: string,
): Promise<boolean> {
  for (let partition = 0; partition < partitions; partition++) {
    if (!(await isCaughtUp(client, partitionName(stream, partition), group))) return false;
  }
  return true;
}

/** Who owns which partitions, by consumer. */
export async function ownersOf(
  client: Redis,
  stream: string,
  partitions: number,
  group: string,
): Promise<Map<string, number[]>> {
  const owners = new Map<string, number[]>();
  for (let partition = 0; partition < partitions; partition++) {
    const key = `stream:${partitionName(stream, partition)}:group:${group}:owner`;
    const consumer = await client.hget(key, 'consumer');
    if (consumer !== null) owners.set(consumer, [...(owners.get(consumer) ?? []), partition]);
  }
  return owners;
}
