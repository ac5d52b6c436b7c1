import { describe, expect, it } from '@jest/globals';

import { shareClasses, sharedName } from '../../../lib/errors/copies.js';
import * as root from '../../../lib/index.js';
import * as testing from '../../../lib/testing/index.js';

/** The same classes as two copies of a package have them. */
function copyOfPackage() {
  class Fault extends Error {}
  class Late extends Fault {}
  shareClasses({ 'test:Fault': Fault, 'test:Late': Late });
  class Own extends Late {}
  return { Fault, Late, Own };
}

describe('classes of two copies', () => {
  const [one, other] = [copyOfPackage(), copyOfPackage()];

  it('are the same for instanceof, with what they extend', () => {
    expect(new one.Late()).toBeInstanceOf(other.Late);
    expect(new one.Late()).toBeInstanceOf(other.Fault);
    expect(new one.Own()).toBeInstanceOf(other.Late);
    expect(new one.Fault()).not.toBeInstanceOf(other.Late);
  });

  it('do not change the classes that extend them elsewhere', () => {
    expect(new one.Own()).toBeInstanceOf(one.Own);
    expect(new one.Own()).not.toBeInstanceOf(other.Own);
    expect(new one.Late()).not.toBeInstanceOf(one.Own);
    expect(sharedName(one.Own)).toBeUndefined();
  });

  it('are not those of values that only look alike', () => {
    for (const value of [undefined, null, 'Late', {}, { 'test:Late': true }, () => undefined]) {
      expect(value instanceof one.Late).toBe(false);
    }
  });
});

const classes = Object.entries({ ...root, ...testing }).filter(
  ([, value]) => typeof value === 'function' && /^class\b/.test(String(value)),
);

it.each(classes)('%s has the same name in every copy of the package', (name, type) => {
  if (name === 'RedisStreamsTesting') return;
  expect(sharedName(type)).toBe(name);
});
