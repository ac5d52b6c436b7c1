/** What stands in `retries`, leases and attempts for a dead letter that is redriven begins so, and its ID follows. */
const PREFIX = 'dead-letter:';

/** Whether an ID of the pipeline is that of a redrive, and not that of an entry. */
export const isRedrive = (id: string): boolean => id.startsWith(PREFIX);

/** The dead letter behind a redrive, or the entry ID as it is. Both are IDs of Redis, which have an order. */
export const streamIdOf = (id: string): string => (isRedrive(id) ? id.slice(PREFIX.length) : id);

/** What stands there for the dead letter of this ID. */
export const redriveMember = (deadLetterId: string): string => PREFIX + deadLetterId;
