import { describe, expect, it } from '@jest/globals';
import { InvalidStreamNameError } from '../../../lib/index.js';
import {
  cancelledByKey,
  delayedByKey,
  delayedKeys,
  inboxKeys,
  inboxKeysOf,
  isInboxKey,
  isOwnKey,
  jobKey,
  partitionCountKey,
  publishedKeys,
  streamBehind,
  streamKey,
  streamKeys,
  wildcardsKey,
} from '../../../lib/wire/stream-keys.js';
import { hashSlot, hashTagged } from '../../../lib/wire/hash-tags.js';
import { partitionIn } from '../../../lib/wire/partitions.js';
import { keyPattern, wildcardMatcher } from '../../../lib/wire/stream-names.js';

describe('the keys of delayed messages', () => {
  it('are in the hash slot of their stream', () => {
    const { delayed, messages } = delayedKeys('dev:orders');
    const { published, entryIds } = publishedKeys('dev:orders', 'token');
    expect(delayed).toBe('stream:{dev:orders}:delayed');
    expect(messages).toBe('stream:{dev:orders}:delayed:messages');
    const others = [delayedByKey('dev:orders', 'token'), cancelledByKey('dev:orders', 'token')];
    const all = ['{dev:orders}', delayed, messages, published, entryIds, ...others];
    expect(new Set(all).size).toBe(7);
    expect(new Set(all.map(hashed)).size).toBe(1);
  });
});

describe('streamKeys', () => {
  it('spells every key of a group as documented', () => {
    expect(streamKeys('', 'orders', 'billing')).toEqual({
      stream: 'orders',
      ledger: 'stream:{orders}:group:billing:processed',
      packedLedger: 'stream:{orders}:group:billing:processed:packed',
      leases: 'stream:{orders}:group:billing:leases',
      retries: 'stream:{orders}:group:billing:retries',
      attempts: 'stream:{orders}:group:billing:attempts',
      position: 'stream:{orders}:group:billing:position',
      madeBlindly: 'stream:{orders}:group:billing:made-blindly',
      deadLetters: 'stream:{orders}:group:billing:dead-letters',
      members: 'stream:{orders}:group:billing:members',
      versions: 'stream:{orders}:group:billing:members:versions',
      left: 'stream:{orders}:group:billing:members:left',
    });
  });

  it('puts the prefix before the stream, in every key', () => {
    const keys = streamKeys('dev:', 'orders', 'billing');
    expect(keys.stream).toBe('dev:orders');
    expect(keys.ledger).toBe('stream:{dev:orders}:group:billing:processed');
    expect(Object.values(keys).every((key) => key.includes('dev:orders'))).toBe(true);
  });

  it.each([
    ['', 'orders'],
    ['', '{eu}:orders'],
    ['{eu}:', 'orders'],
    ['', 'orders{'],
    ['', 'a{b{c}d'],
    ['', '{a}{b}'],
    ['', 'é'],
  ])('keeps all keys of prefix %j and stream %j in one hash slot', (prefix, stream) => {
    const tags = Object.values(streamKeys(prefix, stream, 'billing')).map(hashed);
    expect(new Set(tags).size).toBe(1);
  });

  it('keeps them in one hash slot if the group has braces', () => {
    const { deadLetters, stream } = streamKeys('', 'orders', '{odd}');
    expect(hashed(deadLetters)).toBe(hashed(stream));
  });

  it.each(['', 'orders}', '{}', '{}orders', 'a}b{c', '}{a'])('refuses the name %j', (stream) => {
    const attempt = () => streamKeys('', stream, 'billing');
    expect(attempt).toThrow(InvalidStreamNameError);
    expect(attempt).toThrow(JSON.stringify(stream));
    expect(() => streamKey('', stream)).toThrow(InvalidStreamNameError);
    expect(() => jobKey('', stream, 'retention')).toThrow(InvalidStreamNameError);
  });
});

describe('streamKey', () => {
  it('is the prefix and the name', () => {
    expect(streamKey('dev:', 'orders')).toBe('dev:orders');
  });
});

describe('jobKey', () => {
  it('names the stream and the job, and the group if the job belongs to one', () => {
    expect(jobKey('', 'orders', 'retention')).toBe('stream:{orders}:jobs:retention');
    expect(jobKey('dev:', 'orders', 'ledger', 'billing')).toBe(
      'stream:{dev:orders}:jobs:ledger:billing',
    );
  });
});

/** What Redis Cluster hashes: `keyHashSlot` in its cluster.c. */
function hashed(key: string): string {
  const open = key.indexOf('{');
  const close = open < 0 ? -1 : key.indexOf('}', open + 1);
  return close > open + 1 ? key.slice(open + 1, close) : key;
}

describe('isOwnKey', () => {
  it.each([
    ['', 'orders'],
    ['dev:', 'orders.eu'],
    ['', '{eu}:orders'],
    ['', 'orders{eu}'],
    ['{eu}:', 'stream:orders'],
  ])('is true for all other keys of the stream %j%j, and not for the stream', (prefix, stream) => {
    const { stream: key, ...beside } = streamKeys(prefix, stream, 'billing');
    const others = [
      ...Object.values(beside),
      ...Object.values(publishedKeys(key, 'token')),
      jobKey(prefix, stream, 'retention'),
      jobKey(prefix, stream, 'ledger', 'billing'),
      partitionCountKey(prefix, stream),
    ];
    expect(others.filter((other) => !isOwnKey(other))).toEqual([]);
    expect(isOwnKey(key)).toBe(false);
  });

  it.each([
    wildcardsKey('billing'),
    'stream:replies:client-1',
    'stream:delayed-streams',
    'stream:{orders}:delayed',
    'stream:{orders}:delayed:bodies',
  ])('is true for %s', (key) => {
    expect(isOwnKey(key)).toBe(true);
  });

  it.each(['stream:orders', 'stream:{eu}:orders', 'streams:{orders}:group:a', 'stream', 'replies'])(
    'is false for %s',
    (key) => {
      expect(isOwnKey(key)).toBe(false);
    },
  );
});

describe('a key of 200 000 characters', () => {
  const LONG = 200_000;
  const longKeys = [
    'stream:' + '{'.repeat(LONG),
    'stream:' + '{}'.repeat(LONG / 2),
    'stream:' + '{a}'.repeat(LONG / 3),
    'stream:' + '{a'.repeat(LONG / 2),
    'stream:{a}' + ':group'.repeat(LONG / 6) + 'x',
    '{'.repeat(LONG),
    '{a:'.repeat(LONG / 3),
    `{${'1'.repeat(LONG)}`,
    `{a:${':1'.repeat(LONG / 2)}`,
  ];

  it.each(longKeys.map((key) => [key.slice(0, 20), key]))('%s… is judged at once', (_, key) => {
    const before = process.cpuUsage();
    isOwnKey(key);
    isInboxKey(key);
    hashSlot(key.slice(0, 100) + key);
    partitionIn(key);
    streamBehind(key, '', 'billing');
    wildcardMatcher('{*}*:*x')(key);
    keyPattern(key, ['*', '**', `${key}*`]);
    try {
      hashTagged(key);
    } catch {
      // It need not be a valid name.
    }
    // In µs, whatever else the machine does. Quadratic time would be minutes.
    expect(process.cpuUsage(before).user).toBeLessThan(1_000_000);
  });
});

describe('the keys of an inbox', () => {
  it.each([
    ['', 'stream:replies:{abc}'],
    ['dev:', 'stream:replies:{dev:abc}'],
    ['{eu}:', 'stream:replies:{eu}:abc'],
  ])('share a hash slot, with the prefix %j', (prefix, replies) => {
    expect(inboxKeys(prefix, 'abc')).toEqual({ replies, left: `${replies}:left` });
    expect(inboxKeysOf(replies)).toEqual(inboxKeys(prefix, 'abc'));
    expect(isInboxKey(replies)).toBe(true);
  });

  it.each(['', 'orders', 'stream:replies:', 'stream:{orders}:published'])(
    '%j is not one of them',
    (key) => {
      expect(isInboxKey(key)).toBe(false);
    },
  );
});
