import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { keepJobScript } from '../redis/scripts/admin/keep-job.script.js';
import { releaseJobScript } from '../redis/scripts/admin/release-job.script.js';

/** How long the lock outlives an owner that dies. Two instances that run a job at once do no harm. */
const EXPIRES_MS = 60_000;

/**
 * Runs `work` unless another instance holds its lock.
 *
 * @param work gets a function that extends the lock, for work that takes long
 * @returns the result of `work`, or `undefined` if another instance holds the lock
 */
export async function withJobLock<Result>(
  client: Redis,
  key: string,
  work: (extend: () => Promise<unknown>) => Promise<Result>,
): Promise<Result | undefined> {
  const token = randomUUID();
  const taken = await client.set(key, token, 'PX', EXPIRES_MS, 'NX');
  if (taken === null) return undefined;
  try {
    return await work(() => keepJobScript.run(client, [key], [token, EXPIRES_MS]));
  } finally {
    await releaseJobScript.run(client, [key], [token]);
  }
}
