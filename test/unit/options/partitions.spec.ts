import { describe, expect, it } from '@jest/globals';

import { InvalidOptionsError } from '../../../lib/errors/redis-streams.error.js';
import {
  resolveClientOptions,
  resolveServerOptions,
} from '../../../lib/options/resolve-options.js';

describe('partitions', () => {
  it('are known to who publishes and who reads', () => {
    const streams = { orders: { partitions: 8 }, others: {} };
    const expected = new Map([['orders', 8]]);
    expect(resolveClientOptions({ streams }).partitions).toEqual(expected);
    expect(resolveServerOptions({ group: 'g', streams }).partitions).toEqual(expected);
  });

  it('are refused for a stream that has a hash tag of its own, which would put them into one slot', () => {
    const streams = { '{shop}orders': { partitions: 8 } };
    expect(() => resolveClientOptions({ streams })).toThrow(InvalidOptionsError);
    expect(() => resolveClientOptions({ streams })).toThrow(/hash tag/);
  });
});
