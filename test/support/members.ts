import type { Redis } from 'ioredis';

/** The record in which the members of a group report that they are alive. */
export interface MembersRecord {
  /** ZSET: consumer → until when it counts as alive (Redis time, ms). */
  readonly members: string;
  /** HASH: consumer → version. */
  readonly versions: string;
}

/** The keys of the record, for the stream whose own key is `key`. */
export function recordOf(key: string, group: string): MembersRecord {
  const members = `stream:{${key}}:group:${group}:members`;
  return { members, versions: `${members}:versions` };
}

/** Redis's clock, in ms. */
export async function redisNow(client: Redis): Promise<number> {
  const [seconds = 0, micros = 0] = await client.time();
  return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
}

/** Until when a member counts as alive; 0 if it has no row. */
export async function aliveUntil(
  client: Redis,
  { members }: MembersRecord,
  consumer: string,
): Promise<number> {
  return Number((await client.zscore(members, consumer)) ?? 0);
}

/** Writes the row of a member as another process would. */
export async function writeMember(
  client: Redis,
  { members, versions }: MembersRecord,
  consumer: string,
  lastsMs: number,
  version: string,
): Promise<void> {
  await client.zadd(members, (await redisNow(client)) + lastsMs, consumer);
  await client.hset(versions, consumer, version);
}
