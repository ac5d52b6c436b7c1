import { RedisStreamsPull } from 'nestjs-redis-streams';

// A script that takes messages, settles the first ones as SETTLE says, and then holds one: for the tests that kill it there.
const {
  REDIS_URL = '',
  STREAM = '',
  LEASE_MS = '',
  SETTLE = '0',
  AT_MOST_ONCE,
  DEDUP,
} = process.env;
const say = (line: string): boolean => process.stdout.write(`${line}\n`);

const pull = new RedisStreamsPull({
  connection: REDIS_URL,
  group: 'billing',
  startFrom: 'beginning',
  delivery: AT_MOST_ONCE === undefined ? 'at-least-once' : 'at-most-once',
  ...(DEDUP === 'off' ? { dedup: false } : {}),
  recovery: { minIdleMs: Number(LEASE_MS) },
});

let settled = 0;
for await (const message of pull.from(STREAM)) {
  say(`has ${message.getEntryId()}`);
  if (settled++ >= Number(SETTLE)) await new Promise(() => undefined);
  await message.ack();
}
