import type { Redis } from 'ioredis';
import { isRedrive, boundsOf } from '../wire/entry-id.js';
import { lastBatchKey, type StreamKeys } from '../wire/stream-keys.js';
import type { ResolvedSubscription } from '../options/resolved-options.js';
import { FIRST, type Reservation, reserveScript } from '../redis/scripts/reserve/reserve.script.js';
import { reserveWithoutLedgerScript } from '../redis/scripts/reserve/reserve-without-ledger.script.js';
import { CallNumbers } from './call-numbers.js';
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
  /** What Redis's clock showed when it answered last, in ms; nothing before that. */
  shownMs: number | undefined;
  private readonly numbers = new CallNumbers();

  constructor(private readonly parts: ReserverParts) {}

  async reserve(messages: readonly StreamMessage[]): Promise<Reservation[]> {
    const { client, keys, group, consumer, token, options } = this.parts;
    const { dedup, delivery } = options;
    const redrives = messages.filter(({ entryId }) => isRedrive(entryId));
    if (dedup !== false) return this.reserveOnce(messages, redrives.length > 0, dedup.windowMs);
    if (redrives.length > 0) return this.reserveApart(messages, redrives);
    // That a new entry is pending for this consumer is all there is to know of it; the position is noted when it is settled.
    const isOurs = delivery === 'at-least-once' && this.parts.ownerKey === undefined;
    if (isOurs && messages.every(({ isNew }) => isNew === true)) return messages.map(() => FIRST);
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
    const ofRedrives = await this.reserveOnce(redrives, true, 0);
    const ofEntries = entries.length === 0 ? [] : await this.reserve(entries);
    const answers = new Map<StreamMessage, Reservation | undefined>([
      ...redrives.map((message, index) => [message, ofRedrives[index]] as const),
      ...entries.map((message, index) => [message, ofEntries[index]] as const),
    ]);
    return messages.map(
      (message) => answers.get(message) ?? { kind: 'leased-elsewhere', attempt: 1, alone: false },
    );
  }

  /** Under leases, or recorded as it is given out: so that nothing runs twice. */
  private async reserveOnce(
    messages: readonly StreamMessage[],
    someAreRedrives: boolean,
    windowMs: number,
  ): Promise<Reservation[]> {
    const { client, keys, group, consumer, token, leaseMs, options } = this.parts;
    const entryIds = messages.map(({ entryId }) => entryId);
    const given = someAreRedrives ? entryIds.filter((id) => !isRedrive(id)) : entryIds;
    const [lowest, highest] = boundsOf(given);
    const recorded = options.delivery === 'at-most-once' && windowMs > 0;
    const { shownMs, reservations } = await reserveScript.run(
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
        lastBatchKey(keys, token),
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
        givenSince(messages),
        recorded ? this.numbers.of(messages) : '',
      ],
    );
    this.shownMs = shownMs;
    if (recorded) for (const message of messages) message.recordedMs = shownMs;
    return reservations;
  }
}

/** When none of them was given out yet, in ms by Redis's clock; empty where that is not known of all. */
function givenSince(messages: readonly StreamMessage[]): number | '' {
  let earliest = Infinity;
  for (const { givenSinceMs } of messages) {
    if (givenSinceMs === undefined) return '';
    if (givenSinceMs < earliest) earliest = givenSinceMs;
  }
  return earliest;
}
