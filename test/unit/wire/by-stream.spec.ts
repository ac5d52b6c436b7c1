import { describe, expect, it } from '@jest/globals';
import { ByStream } from '../../../lib/wire/by-stream.js';

const values = new ByStream([
  ['*', 'all'],
  ['ev.*', 'ev'],
  ['*.eu', 'eu'],
  ['ev.orders.*', 'orders'],
  ['ev.orders.eu', 'named'],
]);

describe('the value of an option for a stream', () => {
  it.each([
    ['ev.orders.eu', 'named', 'ev.orders.eu'],
    ['ev.orders.us', 'orders', 'ev.orders.*'],
    ['ev.payments', 'ev', 'ev.*'],
    ['other', 'all', '*'],
    ['other.eu', 'eu', '*.eu'],
  ])('is that of the most specific key: %s', (stream, value, key) => {
    expect(values.get(stream)).toBe(value);
    expect(values.keyOf(stream)).toBe(key);
  });

  it('is that of the key that is listed first if both are equally specific', () => {
    expect(values.get('ev.eu')).toBe('ev');
    expect(
      new ByStream([
        ['*.eu', 'eu'],
        ['ev.*', 'ev'],
      ]).get('ev.eu'),
    ).toBe('eu');
  });

  it('is undefined if no key matches', () => {
    const some = new ByStream([['ev.*', 1]]);
    expect([some.get('orders'), some.keyOf('orders')]).toEqual([undefined, undefined]);
    expect([some.names, some.wildcards, some.entries]).toEqual([[], ['ev.*'], [['ev.*', 1]]]);
  });
});
