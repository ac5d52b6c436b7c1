import type { Redis } from 'ioredis';
import { DELAYED_STREAMS_KEY, wildcardsKey } from '../../wire/stream-keys.js';

/** How many keys one step looks at: Redis serves nobody else meanwhile. */
const STEP = '1000';

/**
 * Removes what an app with this prefix left. The prefix is random, so that no other key has it in its name, and needs no
 * care as a pattern.
 */
export async function removeKeys(client: Redis, prefix: string, group: string): Promise<void> {
  for (let cursor = '0'; ;) {
    const [next, keys] = await client.scan(cursor, 'MATCH', `*${prefix}*`, 'COUNT', STEP);
    if (keys.length > 0) await client.unlink(...keys);
    cursor = next;
    if (cursor === '0') break;
  }
  // Those that apps share name it in their fields.
  for (const shared of [DELAYED_STREAMS_KEY, wildcardsKey(group)]) {
    const fields = (await client.hkeys(shared)).filter((field) => field.startsWith(prefix));
    if (fields.length > 0) await client.hdel(shared, ...fields);
  }
}
