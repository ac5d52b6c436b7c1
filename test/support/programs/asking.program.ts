import { ClientRedisStreams } from 'nestjs-redis-streams';

// Sends three requests and waits for their replies: for the tests in which it leaves or is killed.
const { REDIS_URL = '', STREAM = '', REQUEST_TIMEOUT_MS = '60000', LEAVES_BY = '' } = process.env;

const client = new ClientRedisStreams({
  connection: REDIS_URL,
  requestTimeoutMs: Number(REQUEST_TIMEOUT_MS),
});
const asked = [1, 2, 3].map((n) =>
  client.send(STREAM, n).subscribe({ error: () => undefined, next: () => undefined }),
);
process.on('SIGTERM', () => {
  if (LEAVES_BY === 'close') void client.close().then(() => process.exit(0));
  else for (const each of asked) each.unsubscribe();
});
