import { describe, expect, it } from '@jest/globals';

import { CallNumbers } from '../../../lib/consume/delivery/delivery-scripts.js';

describe('CallNumbers', () => {
  it('keep the number of what is asked for again', () => {
    const numbers = new CallNumbers();
    const batch = ['a'];
    const number = numbers.of(batch);
    expect(numbers.of(['a'])).not.toBe(number);
    expect(numbers.of(batch)).toBe(number);
  });

  it('give no number twice, whoever gives it', () => {
    const all = [1, 2, 3].flatMap(() => {
      const numbers = new CallNumbers();
      return [numbers.of({}), numbers.of({})];
    });
    expect(new Set(all).size).toBe(6);
  });
});
