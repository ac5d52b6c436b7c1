import { describe, expect, it } from '@jest/globals';
import { laneKeyFor } from '../../../lib/wire/partitions.js';
import { type Codec, FieldCodec, JsonCodec, WatermillCodec } from '../../../lib/index.js';


const envelope = { name: 'orders', payload: 1, messageId: 'order-1', key: 'customer-1' };

describe('what keeps messages of a partition in order', () => {
  it.each([new JsonCodec(), new WatermillCodec()])('is the key that %o brings along', (codec) => {
    const fields = codec.encode('orders', envelope).map((field) => Buffer.from(field));
    const decoded = codec.decode(fields);
    expect(laneKeyFor(codec)(decoded, 'order-1')).toBe('customer-1');
    expect(laneKeyFor(codec)({ ...decoded, key: undefined }, 'order-1')).toBe('order-1');
  });

  it('is the partition where the codec has no room for keys, or does not say that it brings them', () => {
    const mine: Codec = { encode: () => ['a', 'b'], decode: () => ({ payload: 1, key: 'a' }) };
    for (const codec of [new FieldCodec({ field: 'data' }), mine]) {
      const laneKey = laneKeyFor(codec);
      expect(laneKey({ key: 'customer-1' }, 'order-1')).toBe(laneKey({}, 'order-2'));
    }
  });
});
