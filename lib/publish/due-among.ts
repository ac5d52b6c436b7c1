import type { Redis } from 'ioredis';
import { findDueStreamsScript } from '../redis/scripts/reserve/find-due-streams.script.js';
import { isRedisReply } from '../redis/server/redis-errors.js';
import { hashSlot } from '../wire/hash-tags.js';
import { delayedKeys } from '../wire/stream-keys.js';

const MOST_KEYS = 1_000;

/** Which of some streams have delayed messages that are due, and in which Redis refused to look. */
export interface DueAmong {
  readonly due: readonly string[];
  readonly refused: ReadonlyMap<string, Error>;
}

/** Asks about streams, given by their keys, together: all at once, or in a cluster those of one slot. */
export async function dueAmong(client: Redis, streams: readonly string[]): Promise<DueAmong> {
  const due: string[] = [];
  const refused = new Map<string, Error>();
  const ask = async (some: readonly string[]): Promise<void> => {
    try {
      const keys = some.map((stream) => delayedKeys(stream).delayed);
      const found = await findDueStreamsScript.run(client, keys, []);
      for (const index of found.due) due.push(some[index] ?? '');
    } catch (error) {
      if (!isRedisReply(error)) throw error;
      const [only = '', ...others] = some;
      // One key that may not be read must not hide what is due in the others.
      if (others.length > 0) await Promise.all(some.map((stream) => ask([stream])));
      else refused.set(only, error);
    }
  };
  await Promise.all(groups(client, streams).map(ask));
  return { due, refused };
}

function groups(client: Redis, streams: readonly string[]): string[][] {
  const bySlot = new Map<number, string[][]>();
  for (const stream of streams) {
    const slot = client.isCluster ? hashSlot(stream) : 0;
    const pages = bySlot.get(slot) ?? [];
    const last = pages.at(-1);
    if (last === undefined || last.length >= MOST_KEYS) pages.push([stream]);
    else last.push(stream);
    bySlot.set(slot, pages);
  }
  return [...bySlot.values()].flat();
}
