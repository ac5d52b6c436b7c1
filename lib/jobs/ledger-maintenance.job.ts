import type { Redis } from 'ioredis';
import { jobKey, type StreamKeys, streamKeys } from '../keys/stream-keys.js';
import { purgeAttemptsScript } from '../redis/scripts/purge-attempts.script.js';
import { purgeLedgerScript } from '../redis/scripts/purge-ledger.script.js';
import { inEachStream } from './each-stream.js';
import type { JobParts, JobResult } from './job.js';
import { withJobLock } from './job-lock.js';
import { subscribedPlaces } from './job-places.js';

/** How many entries one script removes: Redis serves nobody else meanwhile. */
const STEP = 1_000;

/**
 * Removes ledger entries that have left their window, and attempts that were counted of what is not there any more, for
 * every subscription of this app. `removed` counts the ledger entries. It runs every
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
    const { options, connection } = this.parts;
    const { keyPrefix, group } = options;
    const client = await connection();
    const result = await inEachStream(subscribedPlaces(this.parts), (stream, { dedup }) => {
      const key = jobKey(keyPrefix, stream, 'ledger', group);
      const keys = streamKeys(keyPrefix, stream, group);
      return withJobLock(client, key, async () => {
        await this.purgeAttempts(client, keys);
        return dedup === false ? 0 : this.purgeLedger(client, keys, dedup.windowMs);
      });
    });
    this.last = new Date();
    return result;
  }

  private async purgeAttempts(client: Redis, keys: StreamKeys): Promise<void> {
    const { stream, attempts, deadLetters } = keys;
    const { group } = this.parts.options;
    let cursor = '0';
    do {
      cursor = await purgeAttemptsScript.run(
        client,
        [stream, attempts, deadLetters],
        [group, STEP, cursor],
      );
    } while (cursor !== '0');
  }

  private async purgeLedger(client: Redis, keys: StreamKeys, windowMs: number): Promise<number> {
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
