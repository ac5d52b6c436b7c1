import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { releaseJobScript } from '../redis/scripts/release-job.script.js';

/** How long the right to run lasts where its owner dies. The jobs' steps harm nothing when they run side by side. */
const EXPIRES_MS = 60_000;

/**
 * Runs `work` where nobody else holds the right to it, on any instance.
 *
 * @returns what `work` gave, or `undefined` where another one is at it
 */
export async function withJobLock<Result>(
  client: Redis,
  key: string,
  work: () => Promise<Result>,
): Promise<Result | undefined> {
  const token = randomUUID();
  const taken = await client.set(key, token, 'PX', EXPIRES_MS, 'NX');
  if (taken === null) return undefined;
  try {
    return await work();
  } finally {
    await releaseJobScript.run(client, [key], [token]);
  }
}
