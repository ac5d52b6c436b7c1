import { describe, expect, it } from '@jest/globals';
import { patternName } from '../../../lib/options/pattern-name.js';

describe("the stream of one of Nest's patterns", () => {
  it.each<[unknown, string]>([
    [{ cmd: 'sum' }, 'cmd=sum'],
    [{ version: 2, cmd: 'sum' }, 'cmd=sum,version=2'],
    [{ cmd: 'sum', version: '2' }, "cmd=sum,version='2'"],
    [{ cmd: 'users:get/all' }, 'cmd=users:get/all'],
    [{ role: 'item', cmd: { name: 'get', of: { a: 1 } } }, 'cmd=(name=get,of=(a=1)),role=item'],
    [{ on: true, off: false, none: null }, 'none=null,off=false,on=true'],
    [{ on: 'true', off: '', none: 'null' }, "none='null',off='',on='true'"],
    [{ cmd: "a=b,(c)*{d}'e' ü" }, 'cmd=a%3Db%2C%28c%29%2A%7Bd%7D%27e%27%20%C3%BC'],
    [{ 'a=b': 'c' }, 'a%3Db=c'],
    [42, '42'],
    [-1.5, '-1.5'],
  ])('of %j is %s', (pattern, stream) => {
    expect(patternName(pattern)).toBe(stream);
  });

  it('does not depend on the order of keys', () => {
    expect(patternName({ a: 1, b: { c: 2, d: 3 } })).toBe(patternName({ b: { d: 3, c: 2 }, a: 1 }));
  });

  const ALLOWED =
    'the name of a stream, { stream, name }, or a pattern of Nest such as { cmd: "sum" } or a number';
  const PARTS = 'text, a number, true, false, null, or an object of these';
  const DEPTH = '1 to 20 keys, and objects in each other 5 deep, as Nest tells patterns apart';
  it.each<[unknown, string]>([
    [undefined, `Option "pattern": given undefined, allowed: ${ALLOWED}`],
    [null, `Option "pattern": given null, allowed: ${ALLOWED}`],
    [Symbol('a'), `Option "pattern": given a symbol, allowed: ${ALLOWED}`],
    [true, `Option "pattern": given a boolean, allowed: ${ALLOWED}`],
    [Number.NaN, 'Option "pattern": given NaN, allowed: a finite number'],
    [{}, `Option "pattern": given an object with 0 keys, allowed: ${DEPTH}`],
    [['a'], `Option "pattern": given a list, allowed: ${ALLOWED}`],
    [{ cmd: undefined }, `Option "pattern.cmd": given undefined, allowed: ${PARTS}`],
    [{ cmd: () => 1 }, `Option "pattern.cmd": given a function, allowed: ${PARTS}`],
    [
      { a: { b: { c: { d: { e: { f: 1 } } } } } },
      `Option "pattern.a.b.c.d.e": given one more object, allowed: ${DEPTH}`,
    ],
    [
      { cmd: '\ud800' },
      'Option "pattern.cmd": given text with unpaired surrogates, allowed: text that UTF-8 can encode',
    ],
  ])('does not exist for %p', (pattern, message) => {
    expect(() => patternName(pattern)).toThrow(message);
  });

  it('does not exist for an object that contains itself', () => {
    const pattern: Record<string, unknown> = {};
    pattern['self'] = pattern;
    expect(() => patternName(pattern)).toThrow('given one more object');
  });
});
