import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { StreamKeys } from '../wire/stream-keys.js';
import { packLedgerScript } from '../redis/scripts/ledger/pack-ledger.script.js';
import { withJobLock } from './job-lock.js';

/**
 * How many message IDs of a ledger stay in its ZSET: enough for whoever looks there, and so few that 100 000 of them still
 * take no more than 40 bytes each.
 */
export const UNPACKED = 4_000;
/** How many one script packs: Redis serves nobody else meanwhile. */
const STEP = 128;
/** Between two steps it waits so many times as long as the first took. */
const RESTS = 9;
const LONGEST_REST_MS = 100;
/** A step now and then renews the right to run. */
const KEEP_MS = 10_000;

/**
 * Packs what a ledger's ZSET has beyond its newest as it is called, where nobody else is at it. What comes meanwhile is for
 * the next time: a ledger that grows faster than it is packed keeps no other from its turn.
 *
 * @returns how many have left the ZSET; nothing where another instance is at it
 */
export async function packLedger(
  client: Redis,
  { ledger, packedLedger }: Pick<StreamKeys, 'ledger' | 'packedLedger'>,
  windowMs: number,
  jobKey: string,
  unpacked = UNPACKED,
): Promise<number | undefined> {
  const beyond = (await client.zcard(ledger)) - unpacked;
  if (beyond <= 0) return 0;
  return withJobLock(client, jobKey, async (keep) => {
    let total = 0;
    let keptAt = performance.now();
    while (total < beyond) {
      const began = performance.now();
      const moved = await packLedgerScript.run(
        client,
        [ledger, packedLedger],
        [windowMs, unpacked, Math.min(STEP, beyond - total)],
      );
      if (moved === 0) break;
      total += moved;
      const took = performance.now() - began;
      if (performance.now() - keptAt > KEEP_MS) {
        keptAt = performance.now();
        await keep();
      }
      await delay(Math.min(took * RESTS, LONGEST_REST_MS));
    }
    return total;
  });
}
