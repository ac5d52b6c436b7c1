import { describe, expect, it } from '@jest/globals';

import { ReadAheadBytes } from '../../../lib/consume/read-ahead-bytes.js';

const MIB = 1_048_576;

describe('the bytes that may be read ahead', () => {
  it('let few entries in as long as their size is not known', () => {
    expect(new ReadAheadBytes(64 * MIB).roomBeside(0)).toBe(16);
  });

  it('let in as many as fit by the size of recent entries, and at least one unless they are full', () => {
    const bytes = new ReadAheadBytes(1_000);
    bytes.note(2, 200);
    expect(bytes.roomBeside(0)).toBe(10);
    expect(bytes.roomBeside(950)).toBe(1);
    expect(bytes.roomBeside(1_000)).toBe(0);
  });

  it('follow entries that become larger at once, and entries that become smaller within a few reads', () => {
    const bytes = new ReadAheadBytes(1_000);
    bytes.note(100, 100);
    bytes.note(1, 1_000);
    expect(bytes.roomBeside(0)).toBe(1);
    for (let n = 0; n < 12; n++) bytes.note(1, 1);
    expect(bytes.roomBeside(0)).toBeGreaterThan(500);
  });

  it('do not depend on reads that bring nothing', () => {
    const bytes = new ReadAheadBytes(1_000);
    bytes.note(1, 100);
    bytes.note(0, 0);
    expect(bytes.roomBeside(0)).toBe(10);
  });

  it('are shared by the partitions of a stream', () => {
    const bytes = new ReadAheadBytes(1_000);
    bytes.note(1, 100);
    bytes.addShare();
    bytes.addShare();
    expect(bytes.roomBeside(0)).toBe(5);
    bytes.removeShare();
    expect(bytes.roomBeside(0)).toBe(10);
  });
});
