import { describe, expect, it } from '@jest/globals';
import { inboxKeys, inboxKeysOf, isInboxKey } from '../../../lib/wire/stream-keys.js';


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

  it.each(['', 'orders', 'stream:replies:', 'stream:{orders}:published'])('%j is none', (key) => {
    expect(isInboxKey(key)).toBe(false);
  });
});
