import { isRedrive } from '../keys/redrive-member.js';
import type { ResolvedSubscription } from '../options/resolved-options.js';

interface Ids {
  readonly entryId: string;
  readonly messageId: string;
}
type Options = Pick<ResolvedSubscription, 'dedup'>;

/** Whether a message runs under a lease. Without a ledger its pending entry is enough, and a redrive has none. */
export const isLeased = ({ entryId }: Pick<Ids, 'entryId'>, { dedup }: Options): boolean =>
  dedup !== false || isRedrive(entryId);

/** Under which ID its lease is kept. Without a ledger one message ID may run twice, and must not meet another's lease. */
export const leaseIdOf = ({ entryId, messageId }: Ids, { dedup }: Options): string =>
  dedup === false && isRedrive(entryId) ? entryId : messageId;
