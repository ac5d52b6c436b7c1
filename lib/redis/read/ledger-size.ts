import type { Redis } from 'ioredis';
import type { StreamKeys } from '../../wire/stream-keys.js';

export interface LedgerSize {
  /** How many message IDs it has; with those that left the window and were not removed yet. */
  readonly all: number;
  /** How many of them are packed. */
  readonly packed: number;
}

export async function ledgerSize(
  client: Redis,
  { ledger, packedLedger }: Pick<StreamKeys, 'ledger' | 'packedLedger'>,
): Promise<LedgerSize> {
  const [newest, entries] = await Promise.all([
    client.zcard(ledger),
    client.hget(packedLedger, 'entries'),
  ]);
  const packed = Number(entries ?? 0);
  return { all: newest + packed, packed };
}
