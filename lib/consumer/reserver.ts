import type { Redis } from 'ioredis';
import { isRedrive } from '../keys/redrive-member.js';
import type { StreamKeys } from '../keys/stream-keys.js';
import type { ResolvedSubscription } from '../options/resolved-options.js';
import { compareEntryIds } from '../redis/entry-id.js';
import type { Reservation } from '../redis/scripts/reservation.js';
import { reserveWithoutLedgerScript } from '../redis/scripts/reserve-without-ledger.script.js';
import { reserveScript } from '../redis/scripts/reserve.script.js';
import { leaseIdOf } from './lease-id.js';
import type { StreamMessage } from './stream-message.js';

export interface ReserverParts {
  readonly client: Redis;
  readonly keys: StreamKeys;
  readonly group: string;
  readonly consumer: string;
  readonly token: string;
  readonly leaseMs: number;
  readonly options: ResolvedSubscription;
  /** Of a partition: the key of its owner, whose token this is. */
  readonly ownerKey?: string;
}

/** Asks the ledger and the leases of one stream what of a batch may run here. */
export class Reserver {
  constructor(private readonly parts: ReserverParts) {}

  async reserve(messages: readonly StreamMessage[]): Promise<Reservation[]> {
    const { client, keys, group, consumer, token, options } = this.parts;
    const { dedup, delivery } = options;
    const redrives = messages.filter(({ entryId }) => isRedrive(entryId));
    if (dedup !== false) return this.reserveLeased(messages, redrives.length > 0, dedup.windowMs);
    if (redrives.length > 0) return this.reserveApart(messages, redrives);
    const entryIds = messages.map(({ entryId }) => entryId);
    return reserveWithoutLedgerScript.run(
      client,
      [keys.stream, keys.attempts, keys.position, ...this.owner],
      [
        group,
        delivery === 'at-most-once' ? 1 : 0,
        boundsOf(entryIds)[1],
        JSON.stringify(entryIds),
        consumer,
        token,
      ],
    );
  }

  private get owner(): readonly string[] {
    const { ownerKey } = this.parts;
    return ownerKey === undefined ? [] : [ownerKey];
  }

  /** Without a ledger entries need no lease, and redrives do: they are reserved beside each other. */
  private async reserveApart(
    messages: readonly StreamMessage[],
    redrives: readonly StreamMessage[],
  ): Promise<Reservation[]> {
    const entries = messages.filter(({ entryId }) => !isRedrive(entryId));
    const ofRedrives = await this.reserveLeased(redrives, true, 0);
    const ofEntries = entries.length === 0 ? [] : await this.reserve(entries);
    const answers = new Map<StreamMessage, Reservation | undefined>([
      ...redrives.map((message, index) => [message, ofRedrives[index]] as const),
      ...entries.map((message, index) => [message, ofEntries[index]] as const),
    ]);
    return messages.map(
      (message) => answers.get(message) ?? { kind: 'leased-elsewhere', attempt: 1, alone: false },
    );
  }

  private reserveLeased(
    messages: readonly StreamMessage[],
    someAreRedrives: boolean,
    windowMs: number,
  ): Promise<Reservation[]> {
    const { client, keys, group, consumer, token, leaseMs, options } = this.parts;
    const entryIds = messages.map(({ entryId }) => entryId);
    const given = someAreRedrives ? entryIds.filter((id) => !isRedrive(id)) : entryIds;
    const [lowest, highest] = boundsOf(given);
    return reserveScript.run(
      client,
      [
        keys.stream,
        keys.ledger,
        keys.leases,
        keys.retries,
        keys.position,
        keys.attempts,
        keys.deadLetters,
        keys.packedLedger,
        ...this.owner,
      ],
      [
        group,
        token,
        leaseMs,
        windowMs,
        options.delivery === 'at-most-once' ? 1 : 0,
        highest,
        JSON.stringify(entryIds),
        JSON.stringify(messages.map((message) => leaseIdOf(message, options))),
        someAreRedrives ? 1 : 0,
        consumer,
        someAreRedrives ? '' : lowest,
      ],
    );
  }
}

/** The lowest and the highest of some entry IDs; empty where there are none. */
function boundsOf(entryIds: readonly string[]): readonly [lowest: string, highest: string] {
  const [first = ''] = entryIds;
  let lowest = first;
  let highest = first;
  for (const entryId of entryIds) {
    // Most often they come in their order.
    if (compareEntryIds(entryId, highest) > 0) highest = entryId;
    else if (compareEntryIds(entryId, lowest) < 0) lowest = entryId;
  }
  return [lowest, highest];
}
