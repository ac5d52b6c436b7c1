import { setTimeout as delay } from 'node:timers/promises';

import { Cluster, Redis } from 'ioredis';

import { startRedis, type StartedRedis } from '../../lib/testing/index.js';
import { freePort } from '../../lib/testing/redis/process/local-redis.js';
import { waitFor } from './wait-for.js';

const HOST = '127.0.0.1';
const SLOTS = 16_384;
const MASTERS = 3;

/** A node of a cluster, and a connection to this node only. */
export interface ClusterNode {
  readonly server: StartedRedis;
  readonly client: Redis;
  id(): Promise<string>;
}

/** Three masters and three replicas. */
export interface ClusterRedis {
  /** For `connection`. */
  readonly connection: { cluster: { host: string; port: number }[] };
  readonly nodes: readonly ClusterNode[];
  /** A connection for inspecting all of it, closed with the cluster. */
  readonly client: Cluster;
  /** The node that has the slot of this key, according to the nodes. */
  masterOf(key: string): Promise<ClusterNode>;
  /** A master that does not have the slot of this key. */
  otherMaster(key: string): Promise<ClusterNode>;
  /** Moves the slot of this key with everything in it to another master. */
  move(key: string): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Starts a cluster, and waits until all of its nodes know each other and all slots are served.
 *
 * @param args for each node
 */
export async function startClusterRedis(args: readonly string[] = []): Promise<ClusterRedis> {
  const quick = ['--repl-diskless-sync-delay', '0'];
  const nodes = await Promise.all(
    Array.from({ length: 2 * MASTERS }, () => startNode([...quick, ...args])),
  );
  await join(nodes);
  const cluster = nodes.map(({ server: { port } }) => ({ host: HOST, port }));
  const client = new Cluster(cluster, { redisOptions: { enableReadyCheck: true } });
  client.on('error', () => undefined);
  const masterOf = (key: string): Promise<ClusterNode> => masterOfSlot(nodes, key);
  const otherMaster = async (key: string): Promise<ClusterNode> => {
    const master = await masterOf(key);
    for (const node of nodes) {
      if (node !== master && (await isMaster(node))) return node;
    }
    throw new Error('There is no other master');
  };
  return {
    connection: { cluster },
    nodes,
    client,
    masterOf,
    otherMaster,
    move: async (key) => moveSlot(nodes, key, await masterOf(key), await otherMaster(key)),
    stop: async () => {
      client.disconnect();
      for (const node of nodes) node.client.disconnect();
      await Promise.all(nodes.map(({ server }) => server.stop()));
    },
  };
}

async function startNode(args: readonly string[]): Promise<ClusterNode> {
  for (let attempt = 1; ; attempt++) {
    try {
      // The nodes talk to each other on a port that is 10 000 higher.
      const port = await freePort();
      const server = await startRedis({
        port,
        args: ['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000', ...args],
      });
      const client = new Redis({ host: HOST, port: server.port });
      client.on('error', () => undefined);
      return { server, client, id: async () => String(await client.call('CLUSTER', 'MYID')) };
    } catch (error) {
      // Another process may have taken one of the two ports meanwhile.
      if (attempt === 10) throw error;
    }
  }
}

async function join(nodes: readonly ClusterNode[]): Promise<void> {
  const masters = nodes.slice(0, MASTERS);
  await Promise.all(
    nodes.map(({ client }, index) => client.call('CLUSTER', 'SET-CONFIG-EPOCH', index + 1)),
  );
  await Promise.all(
    masters.map(({ client }, index) => {
      const [from, to] = [index, index + 1].map((n) => Math.ceil((SLOTS * n) / MASTERS));
      const slots = Array.from(
        { length: (to ?? 0) - (from ?? 0) },
        (_, slot) => slot + (from ?? 0),
      );
      return client.call('CLUSTER', 'ADDSLOTS', ...slots);
    }),
  );
  const [first] = nodes;
  for (const { server } of nodes.slice(1)) {
    await first?.client.call('CLUSTER', 'MEET', HOST, server.port);
  }
  const says = async (command: () => Promise<unknown>, words: string): Promise<void> => {
    const isSaid = async (): Promise<boolean> => String(await command()).includes(words);
    await waitFor(isSaid, { description: words });
  };
  for (const { client } of nodes) {
    await says(() => client.call('CLUSTER', 'INFO'), `cluster_known_nodes:${nodes.length}`);
  }
  for (const [index, { client }] of nodes.slice(MASTERS).entries()) {
    const id = (await masters[index]?.id()) ?? '';
    await says(() => client.call('CLUSTER', 'NODES'), id);
    await client.call('CLUSTER', 'REPLICATE', id);
  }
  for (const { client } of nodes) {
    await says(() => client.call('CLUSTER', 'INFO'), 'cluster_state:ok');
  }
  for (const { client } of nodes.slice(MASTERS)) {
    await says(() => client.info('replication'), 'master_link_status:up');
  }
  // Each has to know of each replica, or a master that dies at once has no successor.
  for (const { client } of nodes) {
    await waitFor(
      async () => String(await client.call('CLUSTER', 'NODES')).match(/slave/g)?.length === MASTERS,
      { description: 'replicas known to all' },
    );
  }
}

async function masterOfSlot(nodes: readonly ClusterNode[], key: string): Promise<ClusterNode> {
  return waitFor(
    async () => {
      for (const node of nodes) {
        if (node.client.status !== 'ready' || !(await isMaster(node))) continue;
        // It answers for its own keys, and redirects for those of others.
        const mine = await node.client.exists(key).catch(() => undefined);
        if (mine !== undefined) return node;
      }
      return undefined;
    },
    { description: `a master for ${key}` },
  );
}

async function isMaster({ client }: ClusterNode): Promise<boolean> {
  if (client.status !== 'ready') return false;
  const [role] = (await client.role()) as string[];
  return role === 'master';
}

async function moveSlot(
  nodes: readonly ClusterNode[],
  key: string,
  from: ClusterNode,
  to: ClusterNode,
): Promise<void> {
  const slot = Number(await from.client.call('CLUSTER', 'KEYSLOT', key));
  const [fromId, toId] = [await from.id(), await to.id()];
  await to.client.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId);
  await from.client.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId);
  for (;;) {
    const keys = (await from.client.call('CLUSTER', 'GETKEYSINSLOT', slot, 1)) as string[];
    if (keys.length === 0) break;
    const where = [HOST, to.server.port, '', 0, 5_000, 'KEYS', ...keys] as const;
    await from.client.call('MIGRATE', ...where);
    // As over a network: between two keys there is time for commands that need both.
    await delay(20);
  }
  const others = nodes.filter((node) => node !== from && node !== to);
  for (const node of [to, from, ...others]) {
    if (await isMaster(node)) await node.client.call('CLUSTER', 'SETSLOT', slot, 'NODE', toId);
  }
}
