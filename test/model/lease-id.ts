import type { ResolvedSubscription } from '../../lib/options/resolved-options.js';
import { isRedrive } from '../../lib/wire/redrive-member.js';

interface Ids {
  readonly rowId: string;
  readonly messageId: string;
  readonly hasLeftDeadLetters?: boolean | undefined;
}
type Options = Pick<ResolvedSubscription, 'dedup' | 'delivery'>;

/**
 * Whether a message has a lease. Without a ledger its pending entry is enough, and at-most-once has acknowledged it before it
 * runs. A redrive has no pending entry, so it has a lease until at-most-once starts it.
 */
export const isLeased = (
  { rowId, hasLeftDeadLetters }: Omit<Ids, 'messageId'>,
  { dedup, delivery }: Options,
): boolean =>
  (dedup !== false && delivery === 'at-least-once') ||
  (isRedrive(rowId) && hasLeftDeadLetters !== true);

/** The ID of its lease. Without a ledger one message ID may run twice, and must not meet another's lease. */
export const leaseIdOf = ({ rowId, messageId }: Ids, { dedup }: Pick<Options, 'dedup'>): string =>
  dedup === false && isRedrive(rowId) ? rowId : messageId;
