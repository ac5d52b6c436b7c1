import type { Cluster, Redis } from 'ioredis';
import { hashSlot } from '../../wire/hash-slot.js';

/** The cluster behind what carries commands; nothing where that is a connection. */
export const clusterOf = (client: Redis): Cluster | undefined =>
  client.isCluster ? (client as unknown as Cluster) : undefined;

/**
 * A cluster as what carries commands. It has the commands of a connection and its states and events, and finds the node of each
 * by its key; what it has not (a socket, `CLIENT`, `SCAN` of all keys) is asked of its nodes, after `clusterOf()`.
 */
export const asClient = (client: Redis | Cluster): Redis => client as Redis;

/** Where a slot is served now, as far as the client knows: `host:port`. */
export const masterKeyOf = (cluster: Cluster, slot: number): string | undefined =>
  cluster.slots[slot]?.[0];

/** The client's own connection to a node. */
export const nodeOf = (cluster: Cluster, key: string): Redis | undefined =>
  cluster.nodes().find(({ options: { host, port } }) => `${host}:${port}` === key);

/** The connection to the one server that has a key; nothing where it is not known. */
export function masterFor(client: Redis, key: string): Redis | undefined {
  const cluster = clusterOf(client);
  if (cluster === undefined) return client;
  const master = masterKeyOf(cluster, hashSlot(key));
  return master === undefined ? undefined : nodeOf(cluster, master);
}

/** Has the client ask its nodes again who serves what. Fulfilled also where none of them answers. */
export const askForSlots = (cluster: Cluster): Promise<void> =>
  new Promise((resolve) => cluster.refreshSlotsCache(() => resolve()));

/** The connections that commands without a key have to go to, all of them: those to the masters. */
export const mastersOf = (client: Redis): readonly Redis[] =>
  clusterOf(client)?.nodes('master') ?? [client];

/**
 * Calls back each time after a connection broke under the client and another is made: answers may have been lost with it. In a
 * cluster that is told when it breaks, of each node.
 *
 * @returns ends it
 */
export function onReconnect(client: Redis, listener: () => void): () => void {
  const events = client.isCluster ? ['ready', '-node'] : ['ready'];
  for (const event of events) client.on(event, listener);
  return () => {
    for (const event of events) client.off(event, listener);
  };
}
