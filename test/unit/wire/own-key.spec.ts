import { describe, expect, it } from '@jest/globals';
import { isOwnKey, jobKey, publishedKeys, streamKeys, wildcardsKey } from '../../../lib/wire/stream-keys.js';


describe('isOwnKey', () => {
  it.each([
    ['', 'orders'],
    ['dev:', 'orders.eu'],
    ['', '{eu}:orders'],
    ['', 'orders{eu}'],
    ['{eu}:', 'stream:orders'],
  ])('knows all keys beside the stream %j%j, and not the stream', (prefix, stream) => {
    const { stream: key, ...beside } = streamKeys(prefix, stream, 'billing');
    const others = [
      ...Object.values(beside),
      ...Object.values(publishedKeys(key, 'token')),
      jobKey(prefix, stream, 'retention'),
      jobKey(prefix, stream, 'ledger', 'billing'),
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
  ])('knows %s', (key) => {
    expect(isOwnKey(key)).toBe(true);
  });

  it.each(['stream:orders', 'stream:{eu}:orders', 'streams:{orders}:group:a', 'stream', 'replies'])(
    'leaves %s to its owner',
    (key) => {
      expect(isOwnKey(key)).toBe(false);
    },
  );
});
