import {
  delayedKeys,
  jobKey,
  memberKeys,
  ownerKey,
  partitionCountKey,
  publishedKeys,
  streamKeys,
} from '../../lib/wire/stream-keys.js';
import type { RedisType } from './any-rows.js';

/** A key that this package keeps for a stream or one of its partitions, and its type. */
export interface OwnKey {
  readonly type: RedisType;
  readonly key: (stream: string, place: string, group: string) => string;
}

/** Every key of `lib/wire/stream-keys.ts` that can be named without knowing a token. */
export const OWN_KEYS: Record<string, OwnKey> = {
  ledger: { type: 'zset', key: (_, place, group) => streamKeys('', place, group).ledger },
  'packed ledger': {
    type: 'hash',
    key: (_, place, group) => streamKeys('', place, group).packedLedger,
  },
  leases: { type: 'hash', key: (_, place, group) => streamKeys('', place, group).leases },
  retries: { type: 'zset', key: (_, place, group) => streamKeys('', place, group).retries },
  attempts: { type: 'hash', key: (_, place, group) => streamKeys('', place, group).attempts },
  position: { type: 'string', key: (_, place, group) => streamKeys('', place, group).position },
  'made blindly': {
    type: 'string',
    key: (_, place, group) => streamKeys('', place, group).madeBlindly,
  },
  'dead letters': {
    type: 'stream',
    key: (_, place, group) => streamKeys('', place, group).deadLetters,
  },
  members: { type: 'zset', key: (stream, _, group) => memberKeys('', stream, group).members },
  versions: { type: 'hash', key: (stream, _, group) => memberKeys('', stream, group).versions },
  holdings: { type: 'hash', key: (stream, _, group) => memberKeys('', stream, group).holdings },
  owner: { type: 'hash', key: (stream, _, group) => ownerKey('', stream, 0, group) },
  'partition count': { type: 'string', key: (stream) => partitionCountKey('', stream) },
  published: { type: 'zset', key: (_, place) => publishedKeys(place, '').published },
  'published entry IDs': { type: 'hash', key: (_, place) => publishedKeys(place, '').entryIds },
  delayed: { type: 'zset', key: (_, place) => delayedKeys(place).delayed },
  'delayed messages': { type: 'hash', key: (_, place) => delayedKeys(place).messages },
  'ledger job': { type: 'string', key: (_, place, group) => jobKey('', place, 'ledger', group) },
  'retention job': { type: 'string', key: (_, place) => jobKey('', place, 'retention') },
  'consumers job': {
    type: 'string',
    key: (_, place, group) => jobKey('', place, 'consumers', group),
  },
};
