import { startRedis } from 'nestjs-redis-streams/testing';

// Starts a Redis, says where it is, and never stops it: for the tests of what then becomes of it.
const redis = await startRedis({ args: [] });
process.stdout.write(`${redis.url} in ${redis.process?.dir}\n`);
setInterval(() => undefined, 60_000);
