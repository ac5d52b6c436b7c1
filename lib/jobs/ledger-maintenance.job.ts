import type { Redis } from 'ioredis';
import { jobKey, streamKeys } from '../keys/stream-keys.js';
import { purgeLedgerScript } from '../redis/scripts/purge-ledger.script.js';
import type { JobParts, JobResult } from './job.js';
import { withJobLock } from './job-lock.js';

/** How many entries one script removes: Redis serves nobody else meanwhile. */
const STEP = 1_000;

/**
 * Removes ledger entries that have left their window, for every subscription of this app. It runs every
 * `maintenance.ledgerIntervalMs`, on one instance at a time, and can be run by hand.
 *
 * @example
 * ```ts
 * const { removed } = await app.get(LedgerMaintenanceJob).run();
 * ```
 */
export class LedgerMaintenanceJob {
  private last: Date | undefined;

  constructor(private readonly parts: JobParts) {}

  /** When this instance last finished a run. */
  get lastRunAt(): Date | undefined {
    return this.last;
  }

  async run(): Promise<JobResult> {
    const { options, subscriptions, connection } = this.parts;
    const { keyPrefix, group } = options;
    const client = await connection();
    let removed = 0;
    for (const { stream, options: its } of subscriptions()) {
      const { dedup } = its;
      if (dedup === false) continue;
      const key = jobKey(keyPrefix, stream, 'ledger', group);
      removed +=
        (await withJobLock(client, key, () => this.purge(client, stream, dedup.windowMs))) ?? 0;
    }
    this.last = new Date();
    return { removed };
  }

  private async purge(client: Redis, stream: string, windowMs: number): Promise<number> {
    const { keyPrefix, group } = this.parts.options;
    const keys = streamKeys(keyPrefix, stream, group);
    let total = 0;
    let step = { removed: 0, cursor: '0' };
    do {
      step = await purgeLedgerScript.run(
        client,
        [keys.ledger, keys.leases],
        [windowMs, STEP, step.cursor],
      );
      total += step.removed;
    } while (step.removed === STEP || step.cursor !== '0');
    return total;
  }
}
