import { afterAll, beforeAll } from '@jest/globals';
import { Redis } from 'ioredis';

import { startRedis } from '../../lib/testing/index.js';
import { type ClusterRedis, startClusterRedis } from '../support/cluster-redis.js';
import { tcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import type { Address } from './address.js';

/** The servers that cells run on. */
export interface Servers {
  /** How members and clients connect: with latency, if that is tested. */
  readonly address: Address;
  /** The same without latency. */
  readonly direct: Address;
  /** For inspecting Redis, without latency. */
  readonly client: Redis;
  flushScripts(): Promise<void>;
  flushAll(): Promise<void>;
  /** Whether each server has reached its `maxmemory`. */
  setFull(isFull: boolean): Promise<void>;
  /** Another path to the same servers, whose connections can be reset. */
  resettable(): Promise<Resettable>;
  stop(): Promise<void>;
}

export interface Resettable {
  readonly address: Address;
  resetAll(): void;
  close(): Promise<void>;
}

/** One Redis. @param latencyMs how long a message needs in each direction */
export async function startOneServer(latencyMs: number): Promise<Servers> {
  // Never that of REDIS_URL: cells empty it.
  const server = await startRedis({ args: [] });
  const client = new Redis(server.url);
  const slow = latencyMs === 0 ? undefined : await tcpProxy(server.url, { latencyMs });
  return {
    address: { url: slow?.url ?? server.url },
    direct: { url: server.url },
    client,
    flushScripts: async () => void (await client.script('FLUSH')),
    flushAll: async () => void (await client.flushall()),
    setFull: (isFull) => setFull(client, isFull),
    resettable: async () => {
      const proxy = await tcpProxy(server.url, { latencyMs });
      return {
        address: { url: proxy.url },
        resetAll: () => proxy.resetAll(),
        close: () => proxy.close(),
      };
    },
    stop: async () => {
      client.disconnect();
      await slow?.close();
      await server.stop();
    },
  };
}

/** Less than any server needs, so that it counts as full whatever is removed. */
const setFull = async (client: Redis, isFull: boolean): Promise<void> =>
  void (await client.config('SET', 'maxmemory', isFull ? '1' : '0'));

/** Three masters, three replicas. */
export async function startCluster(latencyMs: number): Promise<Servers> {
  const redis = await startClusterRedis();
  const proxied = async (): Promise<Resettable> => throughProxies(redis, latencyMs);
  const slow = latencyMs === 0 ? undefined : await proxied();
  const onMasters = async (work: (client: Redis) => Promise<unknown>): Promise<void> => {
    await Promise.all(redis.client.nodes('master').map((node) => work(node)));
  };
  return {
    address: slow?.address ?? redis.connection,
    direct: redis.connection,
    // It has the commands of a connection to one server, and nothing more is needed here.
    client: redis.client as unknown as Redis,
    flushScripts: () => onMasters((client) => client.script('FLUSH')),
    flushAll: () => onMasters((client) => client.flushall()),
    setFull: (isFull) => onMasters((client) => setFull(client, isFull)),
    resettable: proxied,
    stop: async () => {
      await slow?.close();
      await redis.stop();
    },
  };
}

async function throughProxies({ nodes }: ClusterRedis, latencyMs: number): Promise<Resettable> {
  const proxies: TcpProxy[] = [];
  const natMap: Record<string, { host: string; port: number }> = {};
  for (const { server } of nodes) {
    const proxy = await tcpProxy(server.url, { latencyMs });
    proxies.push(proxy);
    natMap[`127.0.0.1:${server.port}`] = {
      host: '127.0.0.1',
      port: Number(new URL(proxy.url).port),
    };
  }
  return {
    address: { cluster: Object.values(natMap), natMap },
    resetAll: () => proxies.forEach((proxy) => proxy.resetAll()),
    close: async () => void (await Promise.all(proxies.map((proxy) => proxy.close()))),
  };
}

/** The servers of a spec file: available from `beforeAll` on, gone after `afterAll`. */
export function serversForTests(start: () => Promise<Servers>): () => Servers {
  let servers: Servers | undefined;
  beforeAll(async () => {
    servers = await start();
  }, 300_000);
  afterAll(() => servers?.stop());
  return () => {
    if (servers === undefined) throw new Error('The servers are there in tests and hooks only');
    return servers;
  };
}
