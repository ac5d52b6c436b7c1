import { Redis } from 'ioredis';
import { startRedis } from 'nestjs-redis-streams/testing';

/** A Redis for one scenario. */
export interface BenchRedis {
  readonly url: string;
  readonly client: Redis;
}

/** Starts a separate Redis for `action`, and stops it afterwards. */
export async function withRedis<Result>(
  action: (redis: BenchRedis) => Promise<Result>,
): Promise<Result> {
  // Arguments ask for a separate server: on a shared one, others would be measured too.
  const server = await startRedis({ args: [] });
  const client = new Redis(server.url);
  try {
    return await action({ url: server.url, client });
  } finally {
    client.disconnect();
    await server.stop();
  }
}
