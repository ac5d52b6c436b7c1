import { hashTagged } from './stream-name.js';

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
