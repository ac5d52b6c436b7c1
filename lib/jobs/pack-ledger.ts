import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { packLedgerScript } from '../redis/scripts/ledger/pack-ledger.script.js';
import type { StreamKeys } from '../wire/stream-keys.js';
import { withJobLock } from './job-lock.js';

/**
 * How many message IDs of a ledger stay in its ZSET: enough for other programs that read it, and so few that a ledger of
 * 100 000 takes at most 40 bytes for each.
 */
export const UNPACKED = 4_000;
/** How many message IDs one script packs: Redis serves nobody else meanwhile. */
const STEP = 128;
/** After a step it waits this many times as long as the step took. */
const RESTS = 9;
const LONGEST_REST_MS = 100;
/** How often it extends its lock. */
const EXTEND_MS = 10_000;

/**
 * Packs all but the newest message IDs of a ledger's ZSET, as it is now. What is added meanwhile is left for the next call: a
 * ledger that grows faster than it is packed must not keep other ledgers waiting.
 *
 * @returns how many were packed, or undefined if another instance is packing this ledger
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
  return withJobLock(client, jobKey, async (extend) => {
    let total = 0;
    let extendedAt = performance.now();
    while (total < beyond) {
      const startedAt = performance.now();
      const moved = await packLedgerScript.run(
        client,
        [ledger, packedLedger],
        [windowMs, unpacked, Math.min(STEP, beyond - total)],
      );
      if (moved === 0) break;
      total += moved;
      const took = performance.now() - startedAt;
      if (performance.now() - extendedAt > EXTEND_MS) {
        extendedAt = performance.now();
        await extend();
      }
      await delay(Math.min(took * RESTS, LONGEST_REST_MS));
    }
    return total;
  });
}
