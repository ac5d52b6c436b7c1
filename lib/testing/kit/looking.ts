import type { Redis } from 'ioredis';
import type { DeadLetters } from '../../dead-letters/dead-letters.js';
import type { ServerRedisStreams } from '../../nest/server-redis-streams.js';

/** What is needed to look at the messages of an app in Redis. */
export interface LookingParts {
  readonly client: Redis;
  readonly server: ServerRedisStreams;
  readonly deadLetters: DeadLetters;
}

/** Sends commands that are executed as one. What one of them is refused with stands in its place. */
export async function together(client: Redis, commands: readonly string[][]): Promise<unknown[]> {
  const replies = await client
    // It finds them by their names in this form.
    .multi(commands.map(([name = '', ...args]) => [name.toLowerCase(), ...args]))
    .exec();
  return (replies ?? []).map(([error, reply]) => error ?? reply);
}

/** What is said of a group in the reply of `XINFO GROUPS`; nothing where the group or the stream is not there. */
export function groupIn(
  reply: unknown,
  group: string,
): { readonly pending: number; readonly lastDeliveredId: string } | undefined {
  if (!Array.isArray(reply)) return undefined;
  for (const row of reply as unknown[][]) {
    const field = (name: string): unknown => row[row.indexOf(name) + 1];
    if (field('name') !== group) continue;
    return {
      pending: Number(field('pending')),
      lastDeliveredId: String(field('last-delivered-id')),
    };
  }
  return undefined;
}

/** The milliseconds in the reply of `TIME`. */
export function msOf(reply: unknown): number {
  const [seconds, micros] = Array.isArray(reply) ? reply : [];
  return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
}
