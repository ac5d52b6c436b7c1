import { elapsedMs } from '../../redis/server/lease-clock.js';
import type { LeaseId } from '../../wire/message-ids.js';
import type { Message } from '../message.js';

/** The part of a lease's life in which a handler may still be started under it. */
const SAFE_SHARE = 0.8;

/** Whether a message was reserved so recently that no other consumer can have its lease. */
export const hasSafeLease = ({ leasedAt }: Message, leaseMs: number, nowMs: number): boolean =>
  leasedAt !== undefined && elapsedMs(leasedAt, nowMs) <= SAFE_SHARE * leaseMs;

/** Under what the lease of a message is kept. */
export type LeaseIdOf = (message: Pick<Message, 'rowId' | 'messageId'>) => LeaseId;

/** One lease for each message ID: two entries with the same ID do not run at the same time. */
export const byMessageId: LeaseIdOf = ({ messageId }) => messageId as string as LeaseId;

/** Without a ledger one message ID may run twice: a redrive must not meet the lease of another. */
export const byRowId: LeaseIdOf = ({ rowId }) => rowId as string as LeaseId;
