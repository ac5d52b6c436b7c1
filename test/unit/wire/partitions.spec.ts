import { describe, expect, it } from '@jest/globals';
import { type Codec, FieldCodec, JsonCodec, WatermillCodec } from '../../../lib/index.js';
import {
  laneKeyFor,
  partitionIn,
  partitionName,
  partitionNames,
  partitionOf,
} from '../../../lib/wire/partitions.js';
import { streamKeys } from '../../../lib/wire/stream-keys.js';

describe('partitions', () => {
  it('are streams with the partition in their name, each with a hash tag of its own', () => {
    expect(partitionNames('orders', 3)).toEqual(['{orders:0}', '{orders:1}', '{orders:2}']);
    expect(streamKeys('app:', partitionName('orders', 1), 'g')).toMatchObject({
      stream: 'app:{orders:1}',
      ledger: 'stream:app:{orders:1}:group:g:processed',
      packedLedger: 'stream:app:{orders:1}:group:g:processed:packed',
    });
  });

  it('always hold the same keys', () => {
    expect(['customer-1', 'customer-2', 'Zoë', ''].map((key) => partitionOf(key, 8))).toEqual([
      5, 7, 2, 0,
    ]);
  });

  it('get about as many keys each', () => {
    const counts = Array.from({ length: 8 }, () => 0);
    for (let n = 0; n < 8_000; n++) counts[partitionOf(`customer-${n}`, 8)]!++;
    for (const count of counts) expect(Math.abs(count - 1_000)).toBeLessThan(150);
  });

  it('are recognized by their names', () => {
    expect(partitionIn('{orders:12}')).toEqual({ stream: 'orders', partition: 12 });
    for (const name of ['orders', '{orders}', '{orders:01}', '{orders:x}', '{orders:1}s', '{:1}']) {
      expect(partitionIn(name)).toBeUndefined();
    }
  });
});

const envelope = { name: 'orders', payload: 1, messageId: 'order-1', key: 'customer-1' };

describe('the lane of a message', () => {
  it.each([new JsonCodec(), new WatermillCodec()])('is the key if the codec is %o', (codec) => {
    const fields = codec.encode('orders', envelope).map((field) => Buffer.from(field));
    const decoded = codec.decode(fields);
    expect(laneKeyFor(codec)(decoded, 'order-1')).toBe('customer-1');
    expect(laneKeyFor(codec)({ ...decoded, key: undefined }, 'order-1')).toBe('order-1');
  });

  it('is the whole partition if the codec does not carry keys, or does not say so', () => {
    const mine: Codec = { encode: () => ['a', 'b'], decode: () => ({ payload: 1, key: 'a' }) };
    for (const codec of [new FieldCodec({ field: 'data' }), mine]) {
      const laneKey = laneKeyFor(codec);
      expect(laneKey({ key: 'customer-1' }, 'order-1')).toBe(laneKey({}, 'order-2'));
    }
  });
});
