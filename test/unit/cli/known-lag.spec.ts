import { describe, expect, it } from '@jest/globals';

import { knownLag } from '../../../lib/cli/reading/group-rows.js';

const stream = (length: number, firstEntryId?: string, lastEntryId?: string) =>
  ({ length, firstEntryId, lastEntryId }) as Parameters<typeof knownLag>[0];
const group = (lastDeliveredId: string, lag?: number) =>
  ({ name: 'billing', lastDeliveredId, lag, pending: 0, consumers: 0 }) as Parameters<
    typeof knownLag
  >[1];

describe('the lag of a group', () => {
  it('is 0 if the stream is empty, or everything is delivered', () => {
    expect(knownLag(stream(0), group('0-0'))).toBe(0);
    expect(knownLag(stream(3, '1-0', '3-0'), group('3-0'))).toBe(0);
    expect(knownLag(stream(3, '1-0', '3-0'), group('9-0', 7))).toBe(0);
  });

  it('is the length of the stream if nothing in it is delivered, whatever Redis reports', () => {
    expect(knownLag(stream(3, '5-0', '7-0'), group('0-0'))).toBe(3);
    expect(knownLag(stream(3, '5-0', '7-0'), group('4-9', 0))).toBe(3);
  });

  it('is what Redis reports in between', () => {
    expect(knownLag(stream(3, '1-0', '3-0'), group('2-0', 1))).toBe(1);
  });

  it('is unknown if Redis cannot know it, and never 0 while something is unread', () => {
    expect(knownLag(stream(3, '1-0', '3-0'), group('2-0'))).toBeUndefined();
    expect(knownLag(stream(3, '1-0', '3-0'), group('2-0', 0))).toBeUndefined();
    expect(knownLag(stream(3, '1-0', '3-0'), group('2-0', -4))).toBeUndefined();
    expect(knownLag(stream(3, '1-0', '3-0'), group('2-0', 3))).toBeUndefined();
  });
});
