import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';

import type { StreamKeys } from '../../lib/wire/stream-keys.js';

const DIGEST = 14;
const RECORD = DIGEST + 6;
const NAME = 4;

type Where = Pick<StreamKeys, 'packedLedger'>;

/** A record of a packed ledger. */
export interface PackedRecord {
  /** Its message ID, as {@link packedDigest} gives it. */
  readonly digest: string;
  readonly at: number;
}

/** Represents a message ID in a packed ledger: 104 bits of its SHA-1, as two numbers, the second one first. */
export function packedDigest(messageId: string): string {
  const hex = createHash('sha1').update(messageId).digest('hex');
  const bytes = Buffer.from(`0${hex.slice(0, 13)}0${hex.slice(13, 26)}`, 'hex');
  // Node 20 has no toReversed() for buffers that gives a buffer; the copy is this function's own.
  // oxlint-disable-next-line unicorn/no-array-reverse
  return bytes.reverse().toString('hex');
}

/**
 * All records of a packed ledger.
 *
 * @throws if one is in a bucket in which nobody would look for it, or their number differs from the stored
 * one
 */
export async function packedRecords(client: Redis, where: Where): Promise<PackedRecord[]> {
  const { buckets, entries, rows } = await readPacked(client, where);
  const records = rows.flatMap(([name, bytes]) =>
    recordsOf(bytes).map((record) => {
      const bucket = bucketOf(Buffer.from(record.digest, 'hex').readUIntLE(7, 6), buckets);
      const found = name.readUInt32BE();
      if (bucket !== found) throw new Error(`A record of bucket ${bucket} is in ${found}`);
      return record;
    }),
  );
  if (records.length !== entries) {
    throw new Error(`There are ${records.length} records, and it says ${entries}`);
  }
  return records;
}

/** Makes everything packed look processed at `at`, and all of it due for the next sweep. */
export async function setPackedTimes(client: Redis, where: Where, at: number): Promise<void> {
  const { rows } = await readPacked(client, where);
  for (const [name, records] of rows) {
    for (let from = 0; from < records.length; from += RECORD) {
      records.writeUIntLE(at, from + DIGEST, 6);
    }
    await client.hset(where.packedLedger, name, records);
  }
  await client.hdel(where.packedLedger, 'swept');
}

/** How many buckets there are. */
export const bucketsOf = async (client: Redis, where: Where): Promise<number> =>
  (await readPacked(client, where)).buckets;

async function readPacked(client: Redis, { packedLedger }: Where) {
  const flat = (await client.callBuffer('HGETALL', packedLedger)) as Buffer[] | [Buffer, Buffer][];
  const all = flat.flat() as Buffer[];
  const rows = all.flatMap((name, n): [Buffer, Buffer][] => (n % 2 ? [] : [[name, all[n + 1]!]]));
  const about = new Map(rows.map(([name, value]) => [name.toString('latin1'), Number(value)]));
  return {
    buckets: about.get('buckets') ?? 0,
    entries: about.get('entries') ?? 0,
    rows: rows.filter(([name]) => name.length === NAME),
  };
}

function recordsOf(bucket: Buffer): PackedRecord[] {
  return Array.from({ length: bucket.length / RECORD }, (_, n) => ({
    digest: bucket.toString('hex', n * RECORD, n * RECORD + DIGEST),
    at: bucket.readUIntLE(n * RECORD + DIGEST, 6),
  }));
}

/** The lower 48 bits of the first number are enough for as many buckets as there can be here. */
function bucketOf(first: number, count: number): number {
  const power = 2 ** Math.floor(Math.log2(count));
  const bucket = first % (power * 2);
  return bucket < count ? bucket : first % power;
}
