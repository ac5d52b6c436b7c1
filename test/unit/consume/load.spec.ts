import { describe, expect, it } from '@jest/globals';

import { type Load, isWorthARead, roomFor } from '../../../lib/consume/load.js';
import { ReadAheadBytes } from '../../../lib/consume/read-ahead-bytes.js';

const entrySize = 100;
const bytes = new ReadAheadBytes(1_000 * entrySize);
bytes.note(1, entrySize);
const options = { options: { concurrency: 1, batchSize: 100 }, bytes };
const load = (its: Partial<Load>): Load => ({
  taken: 1,
  readAhead: 0,
  runsSynchronously: false,
  readAheadLimit: 100,
  inFlight: (its.readAhead ?? 0) + 1,
  aheadBytes: 0,
  ...its,
});

describe('the room of a flow', () => {
  it('is no more than fits into the bytes that may be read ahead', () => {
    expect(roomFor(load({ aheadBytes: 990 * entrySize }), options)).toBe(10);
    expect(roomFor(load({ aheadBytes: 1_000 * entrySize }), options)).toBe(0);
  });

  it('is read into once half of these bytes are free, whether or not handlers wait', () => {
    for (const runsSynchronously of [true, false]) {
      const holding = (aheadBytes: number): Load => load({ runsSynchronously, aheadBytes });
      expect(isWorthARead(holding(501 * entrySize), options)).toBe(false);
      expect(isWorthARead(holding(500 * entrySize), options)).toBe(true);
    }
  });

  it('is shared by the sources that bring entries at the same time', () => {
    const shared = (its: Partial<Load>): Load => load({ ...its, sources: 2 });
    for (const readAhead of [0, 1, 50, 99]) {
      const forBoth = 2 * roomFor(shared({ readAhead }), options);
      expect(forBoth).toBeLessThanOrEqual(100 - readAhead + 1);
    }
    expect(roomFor(shared({ aheadBytes: 990 * entrySize }), options)).toBe(5);
    // A whole batch for each while three may be held.
    const passing = (readAhead: number): Load =>
      shared({ taken: 0, runsSynchronously: true, readAhead });
    expect(roomFor(passing(0), options)).toBe(100);
    expect(isWorthARead(passing(101), options)).toBe(true);
    expect(isWorthARead(passing(103), options)).toBe(false);
    expect(isWorthARead({ ...passing(103), sources: 1 }, options)).toBe(true);
  });

  it('is a batch beside what runs', () => {
    expect(roomFor(load({}), options)).toBe(100);
    expect(roomFor(load({ readAhead: 100 }), options)).toBe(0);
  });

  it('is offered once half of what may be read ahead has been used up', () => {
    expect(isWorthARead(load({ readAhead: 51 }), options)).toBe(false);
    expect(isWorthARead(load({ readAhead: 50 }), options)).toBe(true);
    expect(roomFor(load({ readAhead: 50 }), options)).toBe(50);
  });

  it('is a batch beside one that runs and one that is reserved, while handlers wait for nothing', () => {
    const passing = load({ taken: 0, readAhead: 200, runsSynchronously: true });
    expect(isWorthARead(passing, options)).toBe(true);
    expect(roomFor(passing, options)).toBe(100);
  });

  it('is never more than a batch, and at most three are held', () => {
    expect(roomFor(load({ taken: 0, runsSynchronously: true }), options)).toBe(100);
    expect(isWorthARead(load({ taken: 0, readAhead: 202, runsSynchronously: true }), options)).toBe(
      false,
    );
    expect(roomFor(load({ taken: 0, readAhead: 301, runsSynchronously: true }), options)).toBe(0);
  });

  it('is none where Redis does not take outcomes', () => {
    expect(roomFor(load({ inFlight: 300 }), options)).toBe(0);
    expect(roomFor(load({ inFlight: 500, runsSynchronously: true }), options)).toBe(0);
  });
});
