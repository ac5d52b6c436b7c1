import { startRedis } from 'nestjs-redis-streams/testing';

// Starts a Redis, prints its address, and never stops it: for the tests of what happens to it then.
const redis = await startRedis({ args: [] });
process.stdout.write(`${redis.url} in ${redis.process?.dir}\n`);
setInterval(() => undefined, 60_000);
