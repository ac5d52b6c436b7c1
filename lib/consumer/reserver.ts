import type { Redis } from 'ioredis';
import type { StreamKeys } from '../keys/stream-keys.js';
import type { ResolvedSubscription } from '../options/resolved-options.js';
import { compareEntryIds } from '../redis/entry-id.js';
import type { Reservation } from '../redis/scripts/reservation.js';
import { reserveWithoutLedgerScript } from '../redis/scripts/reserve-without-ledger.script.js';
import { reserveScript } from '../redis/scripts/reserve.script.js';
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
    const entryIds = messages.map(({ entryId }) => entryId);
    const highest = entryIds.reduce((a, b) => (compareEntryIds(a, b) > 0 ? a : b));
    const atMostOnce = delivery === 'at-most-once' ? 1 : 0;
    if (dedup === false) {
      return reserveWithoutLedgerScript.run(
        client,
        [keys.stream, keys.attempts, keys.position],
        [group, atMostOnce, highest, JSON.stringify(entryIds)],
      );
    }
    return reserveScript.run(
      client,
      [keys.stream, keys.ledger, keys.leases, keys.retries, keys.position, keys.attempts],
      [
        group,
        token,
        leaseMs,
        dedup.windowMs,
        atMostOnce,
        highest,
        JSON.stringify(entryIds),
        JSON.stringify(messages.map(({ messageId }) => messageId)),
      ],
    );
  }
}
