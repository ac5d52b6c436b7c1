import type { Redis } from 'ioredis';
import { setTimeout as delay } from 'node:timers/promises';
import { packLedgerScript } from '../redis/scripts/ledger/pack-ledger.script.js';
import type { StreamKeys } from '../wire/stream-keys.js';
import { withJobLock } from './job.js';

/**
 * How many message IDs of a ledger stay in its ZSET: enough for other programs that read it, and so few that a ledger of
 * 100 000 takes at most 40 bytes for each.
 */
export const UNPACKED = 4_000;
/** How many message IDs one script packs: Redis serves nobody else meanwhile, which is 2 to 4 ms. */
const PACK_STEP = 250;
/** How long it waits at most after a step. */
const LONGEST_REST_MS = 100;
/** How often it extends its lock. */
const EXTEND_MS = 10_000;
/** How many lookups one command does. */
const LOOKUPS = 1_000;

type Ledger = Pick<StreamKeys, 'ledger' | 'packedLedger'>;

/**
 * Packs all but the newest message IDs of a ledger's ZSET, as it is now. What is added meanwhile is left for the next call: a
 * ledger that grows faster than it is packed must not keep other ledgers waiting.
 *
 * @returns how many were packed, or undefined if another instance is packing this ledger
 */
export async function packLedger(
  client: Redis,
  { ledger, packedLedger }: Ledger,
  windowMs: number,
  lockKey: string,
): Promise<number | undefined> {
  const length = await client.zcard(ledger);
  const beyond = length - UNPACKED;
  if (beyond <= 0) return 0;
  return withJobLock(client, lockKey, async (extend) => {
    const pace = new HalfPace();
    let total = 0;
    let extendedAt = performance.now();
    while (total < beyond) {
      const many = Math.min(PACK_STEP, beyond - total);
      const moved = await pace.step(many, () =>
        packLedgerScript.run(client, [ledger, packedLedger], [windowMs, UNPACKED, many]),
      );
      if (moved === 0) break;
      total += moved;
      if (performance.now() - extendedAt > EXTEND_MS) {
        extendedAt = performance.now();
        await extend();
      }
    }
    if (total > UNPACKED) await shrinkZset(client, ledger, length);
    return total;
  });
}

/**
 * Leaves Redis half of its time: after each step it waits as long as the step took Redis. A step looks longer if this process
 * or Redis is busy with other work, so what counts is the fastest of the steps before it.
 */
class HalfPace {
  private msForEach = Infinity;

  async step<Result>(many: number, work: () => Promise<Result>): Promise<Result> {
    const startedAt = performance.now();
    const result = await work();
    const took = (performance.now() - startedAt) / many;
    // It follows slowly if steps become slower: a longer ledger is more work.
    this.msForEach = Math.min(took, this.msForEach * 1.01);
    await delay(Math.min(LONGEST_REST_MS, this.msForEach * many));
    return result;
  }
}

/**
 * Makes Redis free the memory that a ZSET no longer needs. With each lookup, Redis moves ten places of its hash table to a smaller
 * one. If nobody uses the stream, it would keep both tables: 10 bytes for each entry of a ledger of 100 000.
 *
 * @param length how many entries the ZSET had: the old table has at most twice as many places, and removing has moved a part
 */
async function shrinkZset(client: Redis, ledger: string, length: number): Promise<void> {
  const nobody = Array.from({ length: LOOKUPS }, () => '');
  for (let left = UNPACKED + length / 10; left > 0; left -= LOOKUPS) {
    await client.zmscore(ledger, ...nobody);
  }
}
