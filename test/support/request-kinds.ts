import { createHash } from 'node:crypto';
import { packLedgerScript } from '../../lib/redis/scripts/ledger/pack-ledger.script.js';
import type { Script } from '../../lib/redis/scripts/script.js';
import { takeDueEntriesScript } from '../../lib/redis/scripts/reserve/take-due-entries.script.js';
import { findDueStreamsScript } from '../../lib/redis/scripts/reserve/find-due-streams.script.js';
import { tendPartitionScript } from '../../lib/redis/scripts/partition/tend-partition.script.js';
import { renewScript } from '../../lib/redis/scripts/reserve/renew.script.js';
import { findUnattendedStreamsScript } from '../../lib/redis/scripts/reserve/find-unattended-streams.script.js';
import type { SentRequest } from './request-meter.js';

/** Scripts that a test looks for. The others do not matter to it. */
const NAMED: readonly (readonly [string, Script<unknown>])[] = [
  ['due', takeDueEntriesScript],
  // Used for the first check if there are many streams.
  ['due', findDueStreamsScript],
  ['renew', renewScript],
  ['tend', tendPartitionScript],
  ['pack', packLedgerScript],
  ['unattended', findUnattendedStreamsScript],
];

/**
 * The kind of a request: the command, in capitals, or the name of the script that it runs, `script` if it has
 * none.
 */
export function kindOf({ words: [command = '', script = ''] }: SentRequest): string {
  const name = command.toUpperCase();
  if (name !== 'EVAL' && name !== 'EVALSHA') return name;
  const sha = name === 'EVALSHA' ? script : createHash('sha1').update(script).digest('hex');
  return NAMED.find(([, known]) => known.sha === sha)?.[0] ?? 'script';
}

/** How many requests there are of each kind. */
export function countedByKind(requests: readonly SentRequest[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const request of requests) {
    const kind = kindOf(request);
    counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}
