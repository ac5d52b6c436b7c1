import { describe, expect, it } from '@jest/globals';

import {
  partitionIn,
  partitionName,
  partitionNames,
  partitionOf,
} from '../../../lib/wire/partitions.js';
import { streamKeys } from '../../../lib/wire/stream-keys.js';

describe('partitions', () => {
  it('are streams whose names tell of them, with a hash tag each', () => {
    expect(partitionNames('orders', 3)).toEqual(['{orders:0}', '{orders:1}', '{orders:2}']);
    expect(streamKeys('app:', partitionName('orders', 1), 'g')).toMatchObject({
      stream: 'app:{orders:1}',
      ledger: 'stream:app:{orders:1}:group:g:processed',
      packedLedger: 'stream:app:{orders:1}:group:g:processed:packed',
    });
  });

  it('hold the same keys for ever', () => {
    expect(['customer-1', 'customer-2', 'Zoë', ''].map((key) => partitionOf(key, 8))).toEqual([
      5, 7, 2, 0,
    ]);
  });

  it('get about as many keys each', () => {
    const counts = Array.from({ length: 8 }, () => 0);
    for (let n = 0; n < 8_000; n++) counts[partitionOf(`customer-${n}`, 8)]!++;
    for (const count of counts) expect(Math.abs(count - 1_000)).toBeLessThan(150);
  });

  it('are known by their names', () => {
    expect(partitionIn('{orders:12}')).toEqual({ stream: 'orders', partition: 12 });
    for (const name of ['orders', '{orders}', '{orders:01}', '{orders:x}', '{orders:1}s', '{:1}']) {
      expect(partitionIn(name)).toBeUndefined();
    }
  });
});
