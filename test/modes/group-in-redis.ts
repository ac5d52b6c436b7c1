import type { Redis } from 'ioredis';

import type { Codec } from '../../lib/index.js';
import { compareEntryIds } from '../../lib/wire/ids.js';
import { placeOf, placesOf } from '../../lib/wire/partitions.js';
import { type StreamKeys, streamKeys } from '../../lib/wire/stream-keys.js';
import { freshName } from '../support/fresh-name.js';
import { groupState } from '../support/group-state.js';
import type { Body } from './payload.js';

export interface GroupParts {
  readonly redis: Redis;
  readonly stream: string;
  readonly group: string;
  readonly keyPrefix: string;
  readonly partitions: number | undefined;
  readonly codec: Codec;
}

/** What a group still has to do, and what it has recorded, over all places of its stream. */
export interface GroupRecords {
  /** How many places have entries that were not delivered to the group. */
  unread: number;
  pending: number;
  leases: number;
  retries: number;
  attempts: number;
  delayed: number;
  deadLetters: number;
  ledger: number;
}

/** An entry of a message, and the Redis key that holds it. */
export interface MessageEntry {
  readonly key: string;
  readonly id: string;
  readonly n: number;
  readonly fields: Buffer[];
}

/** A stream and a group in Redis. */
export class GroupInRedis {
  /** How many message IDs in the ledger belong to no message of the test. */
  ledgerBefore = 0;

  constructor(private readonly parts: GroupParts) {}

  get redis(): Redis {
    return this.parts.redis;
  }

  /** Whether the codec can carry an ordering key. */
  get carriesKey(): boolean {
    return this.parts.codec.carriesKey === true;
  }

  /** The Redis streams that hold the stream. */
  get places(): string[] {
    return placesOf(this.parts.stream, this.parts.partitions);
  }

  /** Which of them has the messages of a key. */
  placeOf(key: string): string {
    return placeOf(this.parts.stream, this.parts.partitions, key);
  }

  keysOf(place: string): StreamKeys {
    return streamKeys(this.parts.keyPrefix, place, this.parts.group);
  }

  messageId(n: number): string {
    return `${this.parts.stream}-${n}`;
  }

  /** The fields of a message's entry. */
  encoded({ n, key }: Body): (string | Buffer)[] {
    const { stream, codec } = this.parts;
    const envelope = { name: stream, payload: { n, key }, messageId: this.messageId(n) };
    return codec.encode(stream, this.carriesKey ? { ...envelope, key } : envelope);
  }

  async entries(): Promise<MessageEntry[]> {
    const each = this.places.map(async (place) => {
      const { stream: key } = this.keysOf(place);
      const entries = await this.redis.xrangeBuffer(key, '-', '+');
      return entries.map(([id, fields]) => {
        const { payload } = this.parts.codec.decode(fields);
        return { key, id: id.toString(), n: (payload as Body).n, fields };
      });
    });
    return (await Promise.all(each)).flat();
  }

  /** Makes sure that the streams exist, even if empty: one that a wildcard matches is not read before. */
  async makeStreams(): Promise<void> {
    for (const place of this.places) {
      const { stream } = this.keysOf(place);
      const other = freshName('other');
      await this.redis.xgroup('CREATE', stream, other, '$', 'MKSTREAM');
      await this.redis.xgroup('DESTROY', stream, other);
    }
  }

  /** Adds a second entry for messages, byte for byte, as another program may do. */
  async addAgain(all: readonly Body[]): Promise<void> {
    const entries = await this.entries();
    for (const body of all) {
      const fields = entries.find(({ n }) => n === body.n)?.fields ?? this.encoded(body);
      await this.redis.xadd(this.keysOf(this.placeOf(body.key)).stream, '*', ...fields);
    }
  }

  /** Adds an entry that the codec cannot read to each place. */
  async addUndecodable(): Promise<void> {
    for (const place of this.places) {
      await this.redis.xadd(this.keysOf(place).stream, '*', 'junk', '1');
    }
  }

  async destroy(): Promise<void> {
    for (const place of this.places) {
      await this.redis.xgroup('DESTROY', this.keysOf(place).stream, this.parts.group);
    }
  }

  /** Whether the group exists everywhere and was given the entry of a message, if that has one. */
  async wasGiven(message: number): Promise<boolean> {
    const entries = await this.entries();
    const isGiven = this.places.map(async (place) => {
      const { stream } = this.keysOf(place);
      const groups = await groupsOf(this.redis, stream);
      const upTo = groups.get(this.parts.group);
      const entry = entries.find(({ key, n }) => key === stream && n === message);
      if (upTo === undefined) return false;
      return entry === undefined || compareEntryIds(upTo, entry.id) >= 0;
    });
    return (await Promise.all(isGiven)).every(Boolean);
  }

  async records(): Promise<GroupRecords> {
    const records = await Promise.all(this.places.map((place) => this.recordsOf(place)));
    const sum = (of: keyof GroupRecords): number =>
      records.reduce((total, each) => total + each[of], 0);
    return {
      unread: sum('unread'),
      pending: sum('pending'),
      leases: sum('leases'),
      retries: sum('retries'),
      attempts: sum('attempts'),
      delayed: sum('delayed'),
      deadLetters: sum('deadLetters'),
      ledger: sum('ledger'),
    };
  }

  private async recordsOf(place: string): Promise<GroupRecords> {
    const { redis } = this;
    const keys = this.keysOf(place);
    const prefix = keys.ledger.slice(0, keys.ledger.indexOf(':group:'));
    const exists = (await redis.exists(keys.stream)) === 1;
    const [group, [last], leases, retries, attempts, delayed, deadLetters, recent, packed] =
      await Promise.all([
        exists ? groupState(redis, keys.stream, this.parts.group) : undefined,
        redis.xrevrange(keys.stream, '+', '-', 'COUNT', 1),
        redis.hlen(keys.leases),
        redis.zcard(keys.retries),
        redis.hlen(keys.attempts),
        redis.zcard(`${prefix}:delayed`),
        redis.xlen(keys.deadLetters),
        redis.zcard(keys.ledger),
        redis.hget(keys.packedLedger, 'entries'),
      ]);
    return {
      unread: last === undefined || last[0] === group?.lastDeliveredId ? 0 : 1,
      pending: group?.pending ?? 0,
      leases,
      retries,
      attempts,
      delayed,
      deadLetters,
      ledger: recent + Number(packed),
    };
  }
}

/** The last entry ID that each group of a stream was given. */
async function groupsOf(redis: Redis, stream: string): Promise<Map<string, string>> {
  const rows = (await redis.xinfo('GROUPS', stream)) as unknown[];
  return new Map(
    rows.map((row) => {
      const fields = Array.isArray(row) ? row : Object.entries(row as object).flat();
      const of = (name: string): string => String(fields[fields.indexOf(name) + 1]);
      return [of('name'), of('last-delivered-id')];
    }),
  );
}
