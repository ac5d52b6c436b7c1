import type { Cluster } from 'ioredis';
import type { ConnectionOption } from '../../options/connection-option.js';
import { hashSlot } from '../../wire/hash-slot.js';
import { type Connection, extrasOf, madeHere } from './connection.js';
import { defaultOptions, MADE_HERE, neededOptions } from './role-options.js';
import { SlotRedis } from './slot-redis.js';

/**
 * A connection that blocks, to whichever node has the slot of `key`: ioredis shares its own between all that is sent to a node,
 * and none of them may wait for a read.
 *
 * @param option how the cluster was made
 * @param name shown by `CLIENT LIST`
 * @param blockMs how long its commands wait in Redis
 */
export function slotConnection(
  option: ConnectionOption,
  cluster: Cluster,
  key: string,
  name: string,
  blockMs: number,
): Connection {
  // Each slot follows what becomes of the nodes; ioredis would take so many listeners for a leak.
  cluster.setMaxListeners(0);
  const options = {
    ...defaultOptions(true),
    ...cluster.options.redisOptions,
    ...MADE_HERE,
    ...neededOptions('blocking', name),
  };
  const { credentials } = extrasOf(option);
  return madeHere(new SlotRedis(cluster, hashSlot(key), options, credentials), option, blockMs);
}
