import { hashTagged } from './hash-slot.js';

/** The keys that one group of one stream has in Redis. All share the stream's hash slot. */
export interface StreamKeys {
  /** The stream itself. */
  readonly stream: string;
  /** ZSET: message ID → processed at (Redis time, ms). Where there are many, the newest. */
  readonly ledger: string;
  /** HASH: the rest of the ledger, in buckets of short records. */
  readonly packedLedger: string;
  /** HASH: message ID → who may run it, and until when. At-most-once has it for redrives only. */
  readonly leases: string;
  /** ZSET: entry ID → due at (Redis time, ms); below zero if it was handed back, in the order of the entries. */
  readonly retries: string;
  /** HASH: entry ID → attempts used. */
  readonly attempts: string;
  /** String: the last entry ID that was settled. */
  readonly position: string;
  /** String: where a member that could not know the position made the group; expires. */
  readonly madeBlindly: string;
  /** Stream: what will not be tried again. */
  readonly deadLetters: string;
  /** ZSET: consumer → until when it counts as alive (Redis time, ms); expires. Partitions share the one of their stream. */
  readonly members: string;
  /** HASH: consumer → the version of this package that it runs; expires. */
  readonly versions: string;
}

/**
 * String: that a numbered call of the consumer with this `token` was executed; expires. At-most-once needs it for what it
 * puts back or gives up: it has acknowledged that already.
 */
export const callKey = (
  { leases }: Pick<StreamKeys, 'leases'>,
  token: string,
  number: number,
): string => `${leases}:call:${token}:${number}`;

/**
 * String: the last batch that the consumer with this `token` reserved at-most-once, and what it was answered; expires.
 * What is recorded before it runs needs no lease, but the answer has to be the same where it is asked for again.
 */
export const lastBatchKey = ({ leases }: Pick<StreamKeys, 'leases'>, token: string): string =>
  `${leases}:last-batch:${token}`;

/** The jobs that one member of all runs at a time. */
export type JobName = 'ledger' | 'retention' | 'consumers';

/** The keys of `stream` (with `keyPrefix` before it) for `group`. */
export function streamKeys(keyPrefix: string, stream: string, group: string): StreamKeys {
  const key = keyPrefix + stream;
  const base = `stream:${hashTagged(key)}:group:${group}`;
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
  };
}

/** The keys beside a stream that say what was published of late. */
export interface PublishedKeys {
  /** ZSET: message ID → when it was published, and its entry ID. */
  readonly published: string;
  /** HASH: message ID → entry ID, of the few that do not fit into a score. */
  readonly entryIds: string;
  /** String: which calls of one publisher were executed. */
  readonly byCaller: string;
}

/** The keys for what is published to the stream whose own key is `key`, by the publisher with this `token`. */
export function publishedKeys(key: string, token: string): PublishedKeys {
  const published = `stream:${hashTagged(key)}:published`;
  return { published, entryIds: `${published}:ids`, byCaller: `${published}:by:${token}` };
}

/** HASH: key of a stream where messages wait to be published → what its last publisher wrote, another text each time. */
export const DELAYED_STREAMS_KEY = 'stream:delayed-streams';

/** The keys beside a stream that hold what is to be published later. */
export interface DelayedKeys {
  /** ZSET: 16 digits that count the calls, and the message ID → due at (Redis time, ms). */
  readonly delayed: string;
  /** HASH: message ID → the same digits, and the entry to be; '' → how far was counted. */
  readonly messages: string;
}

/** The keys for what is to be published later to the stream whose own key is `key`. */
export function delayedKeys(key: string): DelayedKeys {
  const delayed = `stream:${hashTagged(key)}:delayed`;
  return { delayed, messages: `${delayed}:messages` };
}

/** String: which calls of the publisher with this `token` were executed; expires. */
export const delayedByKey = (key: string, token: string): string =>
  `${delayedKeys(key).delayed}:by:${token}`;

/** String: that the call with this `token` has cancelled a message; expires. */
export const cancelledByKey = (key: string, token: string): string =>
  `${delayedKeys(key).delayed}:cancelled:${token}`;

/** The key of `stream` alone, for those who only publish. */
export function streamKey(keyPrefix: string, stream: string): string {
  const key = keyPrefix + stream;
  hashTagged(key);
  return key;
}

/** The key that says who may run `job` for `stream`. It has no group: retention concerns all of them. */
export function jobKey(keyPrefix: string, stream: string, job: JobName, group?: string): string {
  const base = `stream:${hashTagged(keyPrefix + stream)}:jobs:${job}`;
  return group === undefined ? base : `${base}:${group}`;
}

/** HASH: wildcard, with `keyPrefix` before it → since when `group` reads what it means. */
export const wildcardsKey = (group: string): string => `stream:group:${group}:wildcards`;

const PREFIX = 'stream:replies:';

/** The keys of one client's inbox. They share a hash slot. */
export interface InboxKeys {
  /** Stream: the replies. */
  readonly replies: string;
  /** SET: requests that nobody waits for any longer; expires soon. */
  readonly left: string;
}

/** @param client a word that no other client has */
export const inboxKeys = (keyPrefix: string, client: string): InboxKeys =>
  inboxKeysOf(`${PREFIX}${hashTagged(keyPrefix + client)}`);

/** @param replies the key of the inbox, as requests carry it */
export const inboxKeysOf = (replies: string): InboxKeys => ({ replies, left: `${replies}:left` });

/** Whether a key is one of an inbox: who answers writes to no other. */
export const isInboxKey = (key: string): boolean => key.startsWith(PREFIX) && key !== PREFIX;

const BESIDE_A_STREAM = /^stream:.*\{[^}]+\}.*:(group|published|delayed|jobs)(:|$)/s;
const APART = /^stream:(replies:|group:|delayed-streams$)/;

/**
 * Whether a key is one that this package keeps beside streams: dead letters and replies are streams too, and no wildcard
 * may take them for messages.
 */
export const isOwnKey = (key: string): boolean => BESIDE_A_STREAM.test(key) || APART.test(key);
