import type { Redis } from 'ioredis';
import type { StreamKeys } from '../../wire/stream-keys.js';

/** How many message IDs a ledger holds, including those that left the window and are not removed yet. */
export interface LedgerSize {
  readonly all: number;
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
