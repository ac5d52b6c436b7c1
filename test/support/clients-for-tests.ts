import { afterEach } from '@jest/globals';

import { ClientRedisStreams } from '../../lib/index.js';
import type { RedisForTests } from './redis-for-tests.js';
import { tcpProxy, type TcpProxy } from './tcp-proxy.js';

/** Options of a client. */
export type ClientOptions = ConstructorParameters<typeof ClientRedisStreams>[0];

/** Creates clients without an app around them. */
export interface ClientsForTests {
  /** A proxy to Redis that is closed after the test. */
  proxy(): Promise<TcpProxy>;
  clientFor(options?: ClientOptions): ClientRedisStreams;
  /** A client that is connected, through a proxy. */
  clientBehindProxy(
    options?: ClientOptions,
  ): Promise<{ client: ClientRedisStreams; proxy: TcpProxy }>;
}

/** Clients for the tests of a file: each is closed after its test, whatever happened in it. */
export function clientsForTests(redis: RedisForTests): ClientsForTests {
  const clients = new Set<ClientRedisStreams>();
  const proxies = new Set<TcpProxy>();
  afterEach(async () => {
    await Promise.all([...clients].map((client) => client.close()));
    await Promise.all([...proxies].map((proxy) => proxy.close()));
    clients.clear();
    proxies.clear();
  });
  const clientFor = (options: ClientOptions = {}): ClientRedisStreams => {
    const client = new ClientRedisStreams({ connection: redis.url, ...options });
    clients.add(client);
    return client;
  };
  const proxyForTest = async (): Promise<TcpProxy> => {
    const proxy = await tcpProxy(redis.url);
    proxies.add(proxy);
    return proxy;
  };
  return {
    proxy: proxyForTest,
    clientFor,
    clientBehindProxy: async (options = {}) => {
      const proxy = await proxyForTest();
      const client = clientFor({ connection: proxy.url, ...options });
      await client.connect();
      return { client, proxy };
    },
  };
}
