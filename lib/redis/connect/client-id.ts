import type { Redis } from 'ioredis';

/** What `CLIENT UNBLOCK` needs; nothing where we may not ask. */
export async function clientId(client: Redis): Promise<number | undefined> {
  try {
    return await client.client('ID');
  } catch {
    return undefined;
  }
}
