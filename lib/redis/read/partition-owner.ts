import type { Redis } from 'ioredis';

/** Who has a partition to itself. */
export interface PartitionOwner {
  readonly consumer: string;
  /** Higher with each owner. Never lower than Redis's time when the owner took it, in ms. */
  readonly epoch: number;
  /** Until when, unless it is renewed: Redis's clock, in ms. It may be over, and nobody has taken the partition yet. */
  readonly endsAt: number;
}

/** @returns nothing where nobody has it */
export async function readOwner(client: Redis, key: string): Promise<PartitionOwner | undefined> {
  const [consumer, epoch, endsAt] = await client.hmget(key, 'consumer', 'epoch', 'ends-at');
  if (typeof consumer !== 'string') return undefined;
  return { consumer, epoch: Number(epoch), endsAt: Number(endsAt) };
}
