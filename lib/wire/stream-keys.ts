import { endOfTag, hashTagged } from './hash-tags.js';
import { partitionIn, partitionName } from './partitions.js';

/** The start of all other keys of a stream, which keeps them in the hash slot of its own key. */
const baseOf = (key: string): string => `stream:${hashTagged(key)}`;

/** The keys of one group of one stream. All share the stream's hash slot. */
export interface StreamKeys {
  /** The stream itself. */
  readonly stream: string;
  /** ZSET: message ID → processed at (Redis time, ms). If there are many, only the newest. */
  readonly ledger: string;
  /** HASH: the rest of the ledger, in buckets of short records. */
  readonly packedLedger: string;
  /** HASH: message ID → who may run it, and until when. At-most-once uses it only for redrives. */
  readonly leases: string;
  /** ZSET: entry ID → due at (Redis time, ms). Negative for entries that were handed back, in stream order. */
  readonly retries: string;
  /** HASH: entry ID → attempts used. */
  readonly attempts: string;
  /** String: the last entry ID that was settled. */
  readonly position: string;
  /** String: where a member that did not know the position created the group; expires. */
  readonly madeBlindly: string;
  /** Stream: messages that will not be tried again. */
  readonly deadLetters: string;
  /** ZSET: consumer → alive until (Redis time, ms); expires. All partitions share the one of their stream. */
  readonly members: string;
  /** HASH: consumer → the version of this package that it runs; expires. */
  readonly versions: string;
  /** String: the last member has left; expires after a minute. */
  readonly left: string;
}

export function streamKeys(keyPrefix: string, stream: string, group: string): StreamKeys {
  const key = keyPrefix + stream;
  const base = `${baseOf(key)}:group:${group}`;
  return {
    stream: key,
    ledger: `${base}:processed`,
    packedLedger: `${base}:processed:packed`,
    leases: `${base}:leases`,
    retries: `${base}:retries`,
    attempts: `${base}:attempts`,
    position: `${base}:position`,
    madeBlindly: `${base}:made-blindly`,
    deadLetters: `${base}:dead-letters`,
    members: `${base}:members`,
    versions: `${base}:members:versions`,
    left: `${base}:members:left`,
  };
}

/** ZSET of dtpyfw, not of this package: ID of an entry that a group has begun → when, in ms by the clock of its host. */
export const dtpyfwLedgerKey = (keyPrefix: string, stream: string, group: string): string =>
  `stream:${keyPrefix}${stream}:group:${group}:processed`;

/** What a group keeps for a stream by itself, and that means nothing without the stream. */
const OF_A_GROUP = [
  'processed',
  'processed:packed',
  'leases',
  'retries',
  'attempts',
  'position',
  'made-blindly',
];

/** The stream, without `keyPrefix`, for which `group` keeps this key; undefined if it is another key. */
export function streamBehind(key: string, keyPrefix: string, group: string): string | undefined {
  const end = OF_A_GROUP.map((what) => `:group:${group}:${what}`).find((each) =>
    key.endsWith(each),
  );
  if (end === undefined || !key.startsWith('stream:')) return undefined;
  const base = key.slice('stream:'.length, -end.length);
  const stream = inBraces(base) ?? base;
  const name = stream.slice(keyPrefix.length);
  return stream.startsWith(keyPrefix) && name !== '' ? name : undefined;
}

/** The name in `{name}`; undefined if the text is something else. */
const inBraces = (text: string): string | undefined => /^\{([^{}]+)\}$/.exec(text)?.[1];

/** The key of the stream alone, for publishers. */
export function streamKey(keyPrefix: string, stream: string): string {
  const key = keyPrefix + stream;
  // Only for its check of the name.
  hashTagged(key);
  return key;
}

/**
 * String: a numbered call of the consumer with this `token` was executed; expires. At-most-once needs it to hand back or
 * dead-letter entries that it has already acknowledged.
 */
export const callKey = (
  { leases }: Pick<StreamKeys, 'leases'>,
  token: string,
  number: number,
): string => `${leases}:call:${token}:${number}`;

/**
 * String: the last batch that the consumer with this `token` reserved at-most-once, and the answer; expires. A message that is
 * recorded before it runs has no lease, but a repeated request must get the same answer.
 */
export const lastBatchKey = ({ leases }: Pick<StreamKeys, 'leases'>, token: string): string =>
  `${leases}:last-batch:${token}`;

/** String: how many partitions a stream has, as its latest reader recorded it. */
export const partitionCountKey = (keyPrefix: string, stream: string): string =>
  `${baseOf(keyPrefix + stream)}:partitions`;

/**
 * HASH: the member of a group that owns a partition: `consumer`, `token`, `epoch` (rises with each owner), `since` and
 * `ends-at` (Redis time, ms) and `released-by` (the consumer that released it last). Without a token nobody owns it. It is in
 * the partition's hash slot.
 */
export const ownerKey = (
  keyPrefix: string,
  stream: string,
  partition: number,
  group: string,
): string => `${baseOf(keyPrefix + partitionName(stream, partition))}:group:${group}:owner`;

/**
 * A key that only exists if a group has the other keys of a stream or partition in use for something else: it reads the stream
 * `orders:0`, and partition 0 of `orders`, which have them in common (decision 29).
 */
export const otherUseKey = (
  { members }: Pick<StreamKeys, 'members'>,
  isPartition: boolean,
): string => (isPartition ? members : `${members.slice(0, -':members'.length)}:owner`);

/** The keys by which the members of a group share the partitions of a stream. */
export interface MemberKeys extends Pick<StreamKeys, 'members' | 'versions' | 'left'> {
  /** HASH: consumer → the partitions that it holds, as a JSON list. */
  readonly holdings: string;
}

export function memberKeys(keyPrefix: string, stream: string, group: string): MemberKeys {
  const { members, versions, left } = streamKeys(keyPrefix, stream, group);
  return { members, versions, left, holdings: `${members}:holdings` };
}

/** The keys that record what was published to a stream lately. */
export interface PublishedKeys {
  /** ZSET: message ID → when it was published, and its entry ID. */
  readonly published: string;
  /** HASH: message ID → entry ID, for the few that do not fit into a score. */
  readonly entryIds: string;
  /** String: which calls of one publisher were executed. */
  readonly byCaller: string;
}

/**
 * @param key the stream's own key
 * @param token the publisher's
 */
export function publishedKeys(key: string, token: string): PublishedKeys {
  const published = `${baseOf(key)}:published`;
  return { published, entryIds: `${published}:ids`, byCaller: `${published}:by:${token}` };
}

/**
 * String: the key of the stream whose messages the keys above, and the delayed ones, are about.
 *
 * @returns a list of it; an empty one if no other stream could have these keys (decision 29)
 */
export function publishedAsKeys(key: string): string[] {
  const isAmbiguous = (partitionIn(key) ?? partitionIn(`{${key}}`)) !== undefined;
  return isAmbiguous ? [`${baseOf(key)}:published:as`] : [];
}

/** The channel on which clients with this prefix announce the key of a stream that they begin to publish to. */
export const newStreamsChannel = (keyPrefix: string): string =>
  `stream:new-streams${keyPrefix === '' ? '' : `:${keyPrefix}`}`;

/** HASH: key of a stream with delayed messages → a text that each of its publishers replaces by a new one. */
export const DELAYED_STREAMS_KEY = 'stream:delayed-streams';

/** The keys that hold a stream's delayed messages. */
export interface DelayedKeys {
  /** ZSET: a sequence number of 16 digits and the message ID → due at (Redis time, ms). */
  readonly delayed: string;
  /** HASH: message ID → the same digits, and the entry; '' → the last sequence number. */
  readonly messages: string;
}

/** @param key the stream's own key */
export function delayedKeys(key: string): DelayedKeys {
  const delayed = `${baseOf(key)}:delayed`;
  return { delayed, messages: `${delayed}:messages` };
}

/** String: which calls of the publisher with this `token` were executed; expires. */
export const delayedByKey = (key: string, token: string): string =>
  `${delayedKeys(key).delayed}:by:${token}`;

/** String: the call with this `token` has cancelled a message; expires. */
export const cancelledByKey = (key: string, token: string): string =>
  `${delayedKeys(key).delayed}:cancelled:${token}`;

/** The jobs that only one member runs at a time. */
export type JobName = 'ledger' | 'retention' | 'consumers';

/** String: who may run `job` for a stream. Retention has no group: it concerns all of them. */
export function jobKey(keyPrefix: string, stream: string, job: JobName, group?: string): string {
  const base = `${baseOf(keyPrefix + stream)}:jobs:${job}`;
  return group === undefined ? base : `${base}:${group}`;
}

/** HASH: wildcard with `keyPrefix` → since when `group` reads the streams that it matches. */
export const wildcardsKey = (group: string): string => `stream:group:${group}:wildcards`;

const INBOX = 'stream:replies:';

/** The keys of one client's inbox. They share a hash slot. */
export interface InboxKeys {
  /** Stream: the replies. */
  readonly replies: string;
  /** SET: requests that nobody waits for any more; expires soon. */
  readonly left: string;
}

/** @param client a word that no other client has */
export const inboxKeys = (keyPrefix: string, client: string): InboxKeys =>
  inboxKeysOf(`${INBOX}${hashTagged(keyPrefix + client)}`);

/** @param replies the key of the inbox, as requests carry it */
export const inboxKeysOf = (replies: string): InboxKeys => ({ replies, left: `${replies}:left` });

/** Whether a key belongs to an inbox. Replies are written to no other key. */
export const isInboxKey = (key: string): boolean => key.startsWith(INBOX) && key !== INBOX;

const OF_A_STREAM = /:(?:group|partitions|published|delayed|jobs)(?::|$)/;
const OF_NO_STREAM = /^stream:(replies:|group:|delayed-streams$)/;

/** Whether this package keeps a key for itself. Dead letters and replies are streams too, but nobody publishes to them. */
export function isOwnKey(key: string): boolean {
  if (!key.startsWith('stream:')) return false;
  const end = endOfTag(key);
  return (end !== undefined && OF_A_STREAM.test(key.slice(end))) || OF_NO_STREAM.test(key);
}
