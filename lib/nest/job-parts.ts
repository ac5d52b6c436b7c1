import type { Redis } from 'ioredis';
import type { JobContext } from '../jobs/job.js';
import type { ClientRedisStreams } from './client-redis-streams.js';
import type { RedisStreamsPull } from './pull/redis-streams-pull.js';
import type { ServerRedisStreams } from './server-redis-streams.js';

/**
 * What the jobs of an app work with: the streams that its handlers read, and those that its loops pull or have pulled. They use
 * the server's connection for commands; in an app that has none, the client's.
 */
export function jobParts(
  server: ServerRedisStreams,
  client: ClientRedisStreams,
  pull: RedisStreamsPull,
): JobContext {
  return {
    options: server.options,
    subscriptions: () => {
      const handled = server.subscriptions();
      const streams = new Set(handled.map(({ stream }) => stream));
      return [...handled, ...pull.subscriptions().filter(({ stream }) => !streams.has(stream))];
    },
    wildcards: () => [...server.wildcards, ...pull.wildcards],
    optionsOf: (stream) => pull.optionsOf(stream) ?? server.optionsOf(stream),
    connection: (): Promise<Redis> =>
      server.isListening ? Promise.resolve(server.unwrap()[0]) : client.connect(),
  };
}
