import { describe, expect, it } from '@jest/globals';

import { Pace } from '../../../lib/consume/load.js';

const paceOf = (...durationsMs: readonly number[]): Pace => {
  const pace = new Pace();
  durationsMs.forEach((durationMs) => pace.record(durationMs));
  return pace;
};
const many = (durationMs: number): Pace => paceOf(...Array.from({ length: 60 }, () => durationMs));

describe('Pace', () => {
  it('reads one ahead before anything ran', () => {
    expect(new Pace().readAhead(4, 100, 0)).toBe(1);
  });

  it('reads ahead what will start within about a second', () => {
    expect(many(100).readAhead(1, 1_000, 0)).toBe(10);
    expect(many(100).readAhead(4, 1_000, 0)).toBe(40);
  });

  it('reads a whole batch ahead where handlers take no time, and never more', () => {
    expect(many(0).readAhead(1, 100, 0)).toBe(100);
    expect(many(0).readAhead(10_000, 100, 0)).toBe(100);
    expect(many(0).readAhead(1, 1, 0)).toBe(1);
  });

  it('reads one ahead where a handler takes longer than that', () => {
    expect(many(30_000).readAhead(1, 100, 0)).toBe(1);
  });

  it('follows a stream that becomes slow', () => {
    const pace = many(1);
    expect(pace.readAhead(1, 100, 0)).toBe(100);
    for (let n = 0; n < 60; n++) pace.record(500);
    expect(pace.readAhead(1, 100, 0)).toBe(2);
  });

  it('goes by what runs longer than any before, without waiting for its end', () => {
    expect(many(1).readAhead(1, 100, 0)).toBe(100);
    expect(many(1).readAhead(1, 100, 250)).toBe(4);
    expect(many(1).readAhead(1, 100, 5_000)).toBe(1);
  });

  it('is sure that handlers wait for nothing only after many of them, and until one waits', () => {
    const pace = new Pace();
    for (let n = 0; n < 99; n++) pace.record(0.01, false);
    expect(pace.runsSynchronously(1)).toBe(false);
    pace.record(0.01, false);
    expect(pace.runsSynchronously(1)).toBe(true);
    pace.record(0.01, true);
    expect(pace.runsSynchronously(1)).toBe(false);
  });

  it('takes handlers that compute for long for such that need nothing sooner', () => {
    const pace = new Pace();
    for (let n = 0; n < 200; n++) pace.record(2, false);
    expect(pace.runsSynchronously(1)).toBe(false);
  });
});
