import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { keepJobScript } from '../redis/scripts/admin/keep-job.script.js';
import { releaseJobScript } from '../redis/scripts/admin/release-job.script.js';

/** How long the right to run lasts where its owner dies. The jobs' steps harm nothing when they run side by side. */
const EXPIRES_MS = 60_000;

/**
 * Runs `work` where nobody else holds the right to it, on any instance.
 *
 * @param work is given what keeps the right, for where it takes long
 * @returns what `work` gave, or `undefined` where another one is at it
 */
export async function withJobLock<Result>(
  client: Redis,
  key: string,
  work: (keep: () => Promise<unknown>) => Promise<Result>,
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
