import type { Redis } from 'ioredis';
import { InvalidOptionsError } from '../errors/redis-streams.error.js';
import { ledgerWindowMs, packedWindowMs } from '../options/resolved-options.js';
import { scanKeys } from '../redis/read/streams.js';
import {
  expireOrphansScript,
  purgeAttemptsScript,
  purgeLedgerScript,
} from '../redis/scripts/ledger/purge.script.js';
import { sweepPackedScript } from '../redis/scripts/ledger/sweep-packed.script.js';
import { jobKey, streamBehind, type StreamKeys, streamKeys } from '../wire/stream-keys.js';
import { keyPattern, wildcardMatcher } from '../wire/stream-names.js';
import {
  forEachStream,
  type JobContext,
  type JobResult,
  subscribedStreams,
  withJobLock,
} from './job.js';
import { packLedger } from './pack-ledger.js';

/** How many ledger entries one script removes: Redis serves nobody else meanwhile. */
const STEP = 1_000;
/** How many buckets of a packed ledger one script sweeps; each has about 16 entries. */
const BUCKETS = 128;

/**
 * Removes ledger entries that are older than their window, and the attempts of entries that no longer exist, for every
 * subscription of this app. `removed` counts the ledger entries. Then it packs the older part of long ledgers, unless
 * `dedup.packed` is `false`: at least as fast as one process can fill them, and in small steps, so that Redis has half of its
 * time or more for messages. It runs every `maintenance.ledgerIntervalMs`, on one instance at a time, and can be run by hand.
 *
 * @example
 * ```ts
 * const { removed } = await app.get(LedgerMaintenanceJob).run();
 * ```
 */
export class LedgerMaintenanceJob {
  private last: Date | undefined;

  constructor(private readonly context: JobContext) {}

  /** When this instance last finished removing; packing may still be running. */
  get lastRunAt(): Date | undefined {
    return this.last;
  }

  async run(): Promise<JobResult> {
    const { options, connection } = this.context;
    const { keyPrefix, group } = options;
    const client = await connection();
    const result = await forEachStream(subscribedStreams(this.context), (stream, subscription) => {
      const windowMs = ledgerWindowMs(subscription);
      const key = jobKey(keyPrefix, stream, 'ledger', group);
      const keys = streamKeys(keyPrefix, stream, group);
      return withJobLock(client, key, async () => {
        await this.purgeAttempts(client, keys);
        return windowMs === 0 ? 0 : this.purgeLedger(client, keys, windowMs);
      });
    });
    await expireOrphans(this.context, client);
    this.last = new Date();
    await forEachStream(subscribedStreams(this.context), (stream, subscription) => {
      const windowMs = packedWindowMs(subscription);
      if (windowMs === 0) return Promise.resolve(0);
      const keys = streamKeys(keyPrefix, stream, group);
      return packLedger(client, keys, windowMs, jobKey(keyPrefix, stream, 'ledger', group));
    });
    return result;
  }

  private async purgeAttempts(client: Redis, keys: StreamKeys): Promise<void> {
    const { stream, attempts, deadLetters } = keys;
    const { group } = this.context.options;
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
    return total + (await this.sweepPacked(client, keys, windowMs));
  }

  private async sweepPacked(client: Redis, keys: StreamKeys, windowMs: number): Promise<number> {
    let total = 0;
    // Each bucket at most once: if the window is short, more are due by the time this is done.
    let left = Infinity;
    do {
      const count = Math.min(BUCKETS, left);
      const { removed, due } = await sweepPackedScript.run(
        client,
        [keys.packedLedger],
        [windowMs, count],
      );
      total += removed;
      left = Math.min(left - count, due);
    } while (left > 0);
    return total;
  }
}

/**
 * Finds what this app's group keeps for streams that its wildcards match and that are gone, and lets it expire. A member that
 * runs does so itself; this is for streams that vanished while none did. The ledger lasts two windows more, so that a message
 * that is published again within its window is still known.
 */
async function expireOrphans(context: JobContext, client: Redis): Promise<void> {
  const { keyPrefix, group, leaseMs } = context.options;
  const matchers = context.wildcards().map(wildcardMatcher);
  if (matchers.length === 0) return;
  const present = new Set(context.subscriptions().map(({ stream }) => stream));
  const seen = new Set<string>();
  for await (const keys of scanKeys(client, keyPattern('', [`stream:*:group:${group}:*`]))) {
    for (const key of keys) {
      const stream = streamBehind(key, keyPrefix, group);
      if (stream === undefined || seen.has(stream) || present.has(stream)) continue;
      seen.add(stream);
      if (!matchers.some((matches) => matches(stream))) continue;
      const windowMs = windowOf(context, stream);
      if (windowMs === undefined) continue;
      await expireKeysOf(client, keyPrefix, stream, group, 2 * Math.max(windowMs, leaseMs));
    }
  }
}

const EXPIRING = ['ledger', 'packedLedger', 'leases', 'attempts', 'retries'] as const;

async function expireKeysOf(
  client: Redis,
  keyPrefix: string,
  name: string,
  group: string,
  keepMs: number,
): Promise<void> {
  const keys = streamKeys(keyPrefix, name, group);
  const { stream, position, madeBlindly } = keys;
  // A stream that is called "{orders}" has the same other keys as "orders".
  const other = stream.includes('{') ? stream : `{${stream}}`;
  await expireOrphansScript.run(
    client,
    [stream, other, position, madeBlindly, ...EXPIRING.map((what) => keys[what])],
    [keepMs],
  );
}

function windowOf({ optionsOf }: JobContext, stream: string): number | undefined {
  try {
    return ledgerWindowMs(optionsOf(stream));
  } catch (error) {
    // Handlers that match it by different wildcards disagree, so nobody reads it.
    if (error instanceof InvalidOptionsError) return undefined;
    throw error;
  }
}
