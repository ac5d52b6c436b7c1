import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';

import { GROUP, STREAM } from '../bench-stream.js';

/** Resolves once everything that was delivered to the group is settled. */
export async function nonePending(client: Redis): Promise<void> {
  for (;;) {
    const [count] = await client.xpending(STREAM, GROUP);
    if (count === 0) return;
    await delay(1);
  }
}
