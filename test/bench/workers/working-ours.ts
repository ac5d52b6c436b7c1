import 'reflect-metadata';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';

import { GROUP, STREAM } from '../bench-stream.js';
import { work } from '../measure/rounds-of.js';
import { openService } from './service.js';
import { serveTasks } from './serve-tasks.js';

/** It checks this often whether the group is done, which costs next to nothing. */
const ASK_MS = 10;

/** One of several processes of a group. It answers with when it began, and when the group was done. */
serveTasks(async ({ redisUrl, rounds = 0 }) => {
  const watch = new Redis(redisUrl);
  let startedAt = 0;
  const app = await openService(redisUrl, () => {
    if (startedAt === 0) startedAt = now();
    work(rounds);
  });
  await watch.ping();
  await app.listen();
  while (!(await isDone(watch))) await delay(ASK_MS);
  const doneAt = now();
  await app.close();
  watch.disconnect();
  return [startedAt === 0 ? doneAt : startedAt, doneAt];
});

/** The clock that all processes share. */
const now = (): number => performance.timeOrigin + performance.now();

async function isDone(client: Redis): Promise<boolean> {
  const [count] = await client.xpending(STREAM, GROUP);
  if (count !== 0) return false;
  const [group] = (await client.xinfo('GROUPS', STREAM)) as unknown[][];
  const given = String(group?.[group.indexOf('last-delivered-id') + 1]);
  return (await client.xrevrange(STREAM, '+', '-', 'COUNT', 1))[0]?.[0] === given;
}
