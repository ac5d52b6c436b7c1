import { isRedrive } from '../keys/redrive-member.js';
import type { ResolvedSubscription } from '../options/resolved-options.js';

interface Ids {
  readonly entryId: string;
  readonly messageId: string;
}
type Options = Pick<ResolvedSubscription, 'dedup' | 'delivery'>;

/**
 * Whether a message runs under a lease. Without a ledger its pending entry is enough, at-most-once has recorded and
 * acknowledged it before it runs, and a redrive has neither.
 */
export const isLeased = (
  { entryId }: Pick<Ids, 'entryId'>,
  { dedup, delivery }: Options,
): boolean => (dedup !== false && delivery === 'at-least-once') || isRedrive(entryId);

/** Under which ID its lease is kept. Without a ledger one message ID may run twice, and must not meet another's lease. */
export const leaseIdOf = (
  { entryId, messageId }: Ids,
  { dedup }: Pick<Options, 'dedup'>,
): string => (dedup === false && isRedrive(entryId) ? entryId : messageId);
