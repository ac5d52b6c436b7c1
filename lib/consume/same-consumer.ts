import type { Redis } from 'ioredis';
import { isRedisReply } from '../redis/server/redis-errors.js';
import { clusterOf } from '../redis/connect/cluster-client.js';
import type { Member } from './member.js';

/** Enough to know whether the name is in use: a member has a row beside each of its streams. */
const MOST_ASKED = 10;

/**
 * Whether another process reads under the same consumer name in the same group now: somebody with that name counts as alive, and
 * has a connection. To be asked before this process says that it is alive itself. If Redis does not let the user see the
 * connections, or in a cluster, the answer is no.
 *
 * @param membersKeys the records of members beside some of the streams
 */
export async function isNameInUse(
  client: Redis,
  { consumer, startedAtMs }: Member,
  membersKeys: readonly string[],
): Promise<boolean> {
  if (clusterOf(client) !== undefined) return false;
  try {
    const rows = membersKeys.slice(0, MOST_ASKED).map((key) => client.zscore(key, consumer));
    const isAlive = (await Promise.all(rows)).some((till) => Number(till) > startedAtMs);
    return isAlive && (await hasConnection(client, consumer));
  } catch (error) {
    // It is only for a warning.
    if (isRedisReply(error)) return false;
    throw error;
  }
}

async function hasConnection(client: Redis, consumer: string): Promise<boolean> {
  const own = await client.client('ID');
  const list = String(await client.client('LIST'));
  const name = client.options.connectionName ?? consumer;
  return list
    .split('\n')
    .map((line) => new Map(line.split(' ').map((field) => splitOnce(field))))
    .some((fields) => fields.get('name') === name && fields.get('id') !== String(own));
}

function splitOnce(field: string): [string, string] {
  const at = field.indexOf('=');
  return [field.slice(0, at), field.slice(at + 1)];
}
