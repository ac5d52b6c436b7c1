import { isRedrive } from '../wire/entry-id.js';
import type { ResolvedSubscription } from '../options/resolved-options.js';

interface Ids {
  readonly entryId: string;
  readonly messageId: string;
  readonly startedOnce?: boolean | undefined;
}
type Options = Pick<ResolvedSubscription, 'dedup' | 'delivery'>;

/**
 * Whether a message has a lease. Without a ledger its pending entry is enough, and at-most-once has recorded and
 * acknowledged it before it runs. A redrive has neither, so it has a lease; at-most-once ends that when the run begins.
 */
export const isLeased = (
  { entryId, startedOnce }: Pick<Ids, 'entryId' | 'startedOnce'>,
  { dedup, delivery }: Options,
): boolean =>
  (dedup !== false && delivery === 'at-least-once') || (isRedrive(entryId) && startedOnce !== true);

/** Under which ID its lease is kept. Without a ledger one message ID may run twice, and must not meet another's lease. */
export const leaseIdOf = (
  { entryId, messageId }: Ids,
  { dedup }: Pick<Options, 'dedup'>,
): string => (dedup === false && isRedrive(entryId) ? entryId : messageId);
