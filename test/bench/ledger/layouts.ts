import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';

import { PACK_LEDGER } from './pack-ledger.lua.js';
import { FIND_PACKED, PACKED_LEDGER } from './packed-ledger.lua.js';

/** A layout of a ledger: how message IDs are looked up and recorded. */
export interface Layout {
  readonly name: string;
  /** Lua with the message IDs as a JSON list, or their digests in one text, in ARGV[1]; the time in ms in ARGV[2]. */
  readonly lookFor: string;
  readonly record: string;
  /** The keys for some message IDs in a ledger of `size`. */
  readonly keys: (ids: readonly string[], size: number) => string[];
  readonly argument: (ids: readonly string[]) => string | Buffer;
  /** What maintenance does with recorded IDs; returns for how many. */
  readonly pack?: (client: Redis) => Promise<number>;
}

const KEY = 'stream:{orders}:group:order-processor:processed';
const MEAN = 45;
const WINDOW_MS = 604_800_000;
/** As maintenance has them. */
const UNPACKED = 4_000;
const STEP = 128;

const digestOf = (id: string): Buffer => createHash('sha1').update(id).digest().subarray(0, 16);
const bucketOf = (id: string, size: number): string =>
  `${KEY}:${digestOf(id).readUInt32BE() % Math.max(1, Math.ceil(size / MEAN))}`;
const asJson = (ids: readonly string[]): string => JSON.stringify(ids);

const SCORED = `
local ids, rows = cjson.decode(ARGV[1]), {}
for n = 1, #ids do rows[n * 2 - 1], rows[n * 2] = ARGV[2], ids[n] end
redis.call('ZADD', KEYS[1], unpack(rows))`;

const oneZset: Layout = {
  name: 'one ZSET of message IDs',
  lookFor: `redis.call('ZMSCORE', KEYS[1], unpack(cjson.decode(ARGV[1])))`,
  record: SCORED,
  keys: () => [KEY],
  argument: asJson,
};

/** Each bucket is a key: Redis stores small ZSETs as one list of bytes. */
const smallZsets: Layout = {
  name: `a ZSET for each ${MEAN}, 16 byte digests, each expires`,
  lookFor: `for n = 1, #KEYS do redis.call('ZSCORE', KEYS[n], string.sub(ARGV[1], n * 16 - 15, n * 16)) end`,
  record: `for n = 1, #KEYS do
  redis.call('ZADD', KEYS[n], ARGV[2], string.sub(ARGV[1], n * 16 - 15, n * 16))
  redis.call('ZREMRANGEBYSCORE', KEYS[n], '-inf', ARGV[2] - 604800000)
  redis.call('PEXPIRE', KEYS[n], 604800000)
end`,
  keys: (ids, size) => ids.map((id) => bucketOf(id, size)),
  argument: (ids) => Buffer.concat(ids.map(digestOf)),
};

const packed: Layout = {
  name: `a ZSET of the newest ${UNPACKED}, the rest packed in a HASH`,
  lookFor: `${PACKED_LEDGER}${FIND_PACKED}
local ids = cjson.decode(ARGV[1])
redis.call('ZMSCORE', KEYS[1], unpack(ids))
findPacked(KEYS[2], ids)`,
  record: SCORED,
  keys: () => [KEY, `${KEY}:packed`],
  argument: asJson,
  pack: async (client) => {
    let total = 0;
    let moved = 0;
    do {
      const script = `${PACKED_LEDGER}${PACK_LEDGER}`;
      const args = [WINDOW_MS, UNPACKED, STEP];
      moved = Number(await client.eval(script, 2, KEY, `${KEY}:packed`, ...args));
      total += moved;
    } while (moved > 0);
    return total;
  },
};

export const LAYOUTS: readonly Layout[] = [oneZset, smallZsets, packed];
