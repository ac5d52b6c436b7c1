import type { Redis } from 'ioredis';
import { InvalidOptionsError } from '../errors/redis-streams.error.js';
import { ledgerWindowMs } from '../options/resolved-options.js';
import { scanKeys } from '../redis/read/streams.js';
import { expireOrphansScript } from '../redis/scripts/admin/expire-orphans.script.js';
import { streamBehind, streamKeys } from '../wire/stream-keys.js';
import { keyPattern, wildcardMatcher } from '../wire/wildcard.js';
import type { JobContext } from './job.js';

/**
 * Finds what this app's group keeps for streams that its wildcards match and that are gone, and lets it expire. A member that
 * runs does so itself; this is for streams that vanished while none did. The ledger lasts two windows more, so that a message
 * that is published again within its window is still known.
 */
export async function expireOrphans(context: JobContext, client: Redis): Promise<void> {
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
