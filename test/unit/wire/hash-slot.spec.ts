import { describe, expect, it } from '@jest/globals';
import { hashSlot } from '../../../lib/wire/hash-tags.js';

describe('the slot of a key', () => {
  // As `CLUSTER KEYSLOT` says.
  it.each([
    ['', 0],
    ['123456789', 12_739],
    ['orders', 105],
    ['stream:{orders}:published', 105],
    ['{orders}', 105],
    ['{eu}:orders', 6_893],
    ['{}orders', 2_209],
    ['größe', 9_425],
  ])('%s is in %i', (key, slot) => {
    expect(hashSlot(key)).toBe(slot);
  });
});
