declare const kind: unique symbol;

/** Text that names one kind of thing. Only what reads it from Redis, or makes it, may say so. */
type Named<Kind extends string> = string & { readonly [kind]: Kind };

/** The ID of an entry in its stream: `1729768245123-0`. */
export type EntryId = Named<'entry'>;

/** What stands for a message in the rows of its group: its entry ID, or `dead-letter:<id>` if it is a redrive. */
export type RowId = Named<'row'>;

/** The ID that its producer gave a message, or its entry ID. */
export type MessageId = Named<'message'>;

/** Under what a lease is kept: the message ID, or the row ID of a redrive if there is no ledger. */
export type LeaseId = Named<'lease'>;

/** Who holds leases: a consumer's token, or the token and epoch of a partition's owner. */
export type Holder = Named<'holder'>;
