import type { Redis } from 'ioredis';
import type { StreamKeys } from '../keys/stream-keys.js';
import type { ResolvedSubscription } from '../options/resolved-options.js';
import { compareEntryIds } from '../redis/entry-id.js';
import { type Reservation, reserveScript } from '../redis/scripts/reserve.script.js';
import type { StreamMessage } from './stream-message.js';

export interface ReserverParts {
  readonly client: Redis;
  readonly keys: StreamKeys;
  readonly group: string;
  readonly token: string;
  readonly leaseMs: number;
  readonly options: ResolvedSubscription;
}

/** Asks the ledger and the leases of one stream what of a batch may run here. */
export class Reserver {
  constructor(private readonly parts: ReserverParts) {}

  async reserve(messages: readonly StreamMessage[]): Promise<Reservation[]> {
    const { client, keys, group, token, leaseMs, options } = this.parts;
    const { dedup, delivery } = options;
    if (dedup === false) {
      if (delivery === 'at-most-once') {
        await client.xack(keys.stream, group, ...messages.map(({ entryId }) => entryId));
      }
      return this.countAttempts(messages);
    }
    const entryIds = messages.map(({ entryId }) => entryId);
    const highest = entryIds.reduce((a, b) => (compareEntryIds(a, b) > 0 ? a : b));
    return reserveScript.run(
      client,
      [keys.stream, keys.ledger, keys.leases, keys.retries, keys.position, keys.attempts],
      [
        group,
        token,
        leaseMs,
        dedup.windowMs,
        delivery === 'at-most-once' ? 1 : 0,
        highest,
        JSON.stringify(entryIds),
        JSON.stringify(messages.map(({ messageId }) => messageId)),
      ],
    );
  }

  /** Without leases, what failed before is all there is to know. */
  private async countAttempts(messages: readonly StreamMessage[]): Promise<Reservation[]> {
    const { client, keys, delivery } = { ...this.parts, ...this.parts.options };
    const used =
      delivery === 'at-most-once'
        ? []
        : await client.hmget(keys.attempts, ...messages.map(({ entryId }) => entryId));
    return messages.map((_, index) => ({ kind: 'new', attempt: Number(used[index] ?? 0) + 1 }));
  }
}
