import type { Cluster, Redis } from 'ioredis';
import { hashSlot } from '../../wire/hash-tags.js';

/** The cluster that a client is, or undefined if it is a single connection. */
export const clusterOf = (client: Redis): Cluster | undefined =>
  client.isCluster ? (client as unknown as Cluster) : undefined;

/**
 * A cluster with the type of a single connection. It has the same commands, states and events, and finds the node for each
 * command by its key. What it lacks (a socket, `CLIENT`, `SCAN` of all keys) must be asked of its nodes: see `clusterOf()`.
 */
export const asClient = (client: Redis | Cluster): Redis => client as Redis;

/** The node that serves a slot, as far as the client knows: `host:port`. */
export const masterKeyOf = (cluster: Cluster, slot: number): string | undefined =>
  cluster.slots[slot]?.[0];

/** The client's own connection to a node. */
export const nodeOf = (cluster: Cluster, key: string): Redis | undefined =>
  cluster.nodes().find(({ options: { host, port } }) => `${host}:${port}` === key);

/** The connection to the server that has a key, or undefined if that is not known. */
export function masterFor(client: Redis, key: string): Redis | undefined {
  const cluster = clusterOf(client);
  if (cluster === undefined) return client;
  const master = masterKeyOf(cluster, hashSlot(key));
  return master === undefined ? undefined : nodeOf(cluster, master);
}

/** Refreshes which node serves which slot. Resolves even if no node answers. */
export const refreshSlots = (cluster: Cluster): Promise<void> =>
  new Promise((resolve) => cluster.refreshSlotsCache(() => resolve()));

/** The connections to all masters: commands without a key must be sent to each. */
export const mastersOf = (client: Redis): readonly Redis[] =>
  clusterOf(client)?.nodes('master') ?? [client];

/**
 * Calls back after each lost connection, since answers may have been lost with it: when the client is ready again, in a
 * cluster when a node's connection breaks.
 *
 * @returns a function that stops listening
 */
export function onReconnect(client: Redis, listener: () => void): () => void {
  const events = client.isCluster ? ['ready', '-node'] : ['ready'];
  for (const event of events) client.on(event, listener);
  return () => {
    for (const event of events) client.off(event, listener);
  };
}

/**
 * Writes the commands of one turn of the event loop to the socket together; in a cluster, to each node's socket. Unlike a
 * pipeline, every command keeps its own answer and error, and waits for no other.
 */
export class JointWrite {
  private readonly corked = new Set<Redis['stream']>();

  constructor(private readonly client: Redis) {}

  /** Holds back commands from now until all pending promise callbacks have run. */
  begin(): void {
    if (!this.client.isCluster) return this.cork(this.client.stream);
    for (const { status, stream } of mastersOf(this.client))
      if (status === 'ready') this.cork(stream);
  }

  private cork(socket: Redis['stream']): void {
    // After a reconnect there is another socket. The old one is uncorked in its own tick.
    if (this.corked.has(socket)) return;
    this.corked.add(socket);
    socket.cork();
    process.nextTick(() => {
      this.corked.delete(socket);
      socket.uncork();
    });
  }
}
