const PREFIX = 'dead-letter:';

/** What stands in `retries`, leases and attempts for a dead letter that is redriven: it has no entry any more. */
export const redriveMember = (deadLetterId: string): string => PREFIX + deadLetterId;

/** Whether an ID of the pipeline is that of a redrive, and not that of an entry. */
export const isRedrive = (id: string): boolean => id.startsWith(PREFIX);

/** The dead letter behind a redrive, or the entry ID as it is. Both are IDs of Redis, which have an order. */
export const streamIdOf = (id: string): string => (isRedrive(id) ? id.slice(PREFIX.length) : id);
