import { ServerRedisStreams } from 'nestjs-redis-streams';

// A server that reads nothing, and so only publishes delayed messages: for the tests that kill it there.
const { REDIS_URL = '' } = process.env;

const server = new ServerRedisStreams({ connection: REDIS_URL, group: 'billing' });
await server.listen((error) => {
  process.stdout.write(error === undefined ? 'listening\n' : `${String(error)}\n`);
});
