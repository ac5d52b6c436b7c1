import { describe, expect, it } from '@jest/globals';
import { isWildcard, keyPattern, wildcardMatcher } from '../../../lib/wire/stream-names.js';

describe('a wildcard', () => {
  it.each<[string, boolean]>([
    ['orders.*', true],
    ['*', true],
    ['orders', false],
    ['orders.?', false],
    ['orders.[ab]', false],
    ['orders\\', false],
    ['', false],
  ])('%j is a wildcard: %s', (stream, expected) => {
    expect(isWildcard(stream)).toBe(expected);
  });

  it.each<[string, string, boolean]>([
    ['orders.*', 'orders.eu', true],
    ['orders.*', 'orders.', true],
    ['orders.*', 'orders.eu.1', true],
    ['orders.*', 'orders', false],
    ['orders.*', 'my-orders.eu', false],
    ['*', '', true],
    ['*', 'anything\nat all', true],
    ['**', 'a', true],
    ['*.eu', 'orders.eu', true],
    ['*.eu', 'orders.eu.1', false],
    ['*.eu', '.eu', true],
    ['a*b*c', 'abc', true],
    ['a*b*c', 'a-b-b-c', true],
    ['a*b*c', 'acb', false],
    ['a*b*c', 'ac', false],
    ['ab*ba', 'aba', false],
    ['ab*ba', 'abba', true],
    ['a*bc*bc', 'abc', false],
    ['a*bc*bc', 'abcbc', true],
    ['orders.?*', 'orders.a', false],
    ['orders.?*', 'orders.?a', true],
    ['[ab]*', 'a', false],
    ['[ab]*', '[ab]c', true],
    ['a.*', 'axb', false],
    ['\\*', 'b', false],
    ['\\*', '\\b', true],
    ['Orders.*', 'orders.eu', false],
  ])('%j matches %j: %s', (wildcard, stream, expected) => {
    expect(wildcardMatcher(wildcard)(stream)).toBe(expected);
  });

  it('with many stars is matched quickly', () => {
    // Tried star by star, this would take longer than any machine lives.
    const means = wildcardMatcher(`${'a*'.repeat(200)}b`);
    expect(means('a'.repeat(50_000))).toBe(false);
  });
});

describe('the pattern for SCAN', () => {
  it.each<[string, string[], string]>([
    ['', ['orders.*'], 'orders.*'],
    ['dev:', ['orders.*.v1'], 'dev:orders.*.v1'],
    ['de[v]?*:', ['*'], 'de\\[v\\]\\?\\*:*'],
    ['', ['o?[a-b]^\\*'], 'o\\?\\[a-b\\]\\^\\\\*'],
    ['dev:', ['orders.eu.*', 'orders.e*.v1'], 'dev:orders.e*'],
    ['dev:', ['orders.*', 'parcels.*'], 'dev:*'],
    ['', ['orders.*', 'orders.eu.*', 'or?*'], 'or*'],
  ])('with prefix %j and wildcards %j is %j', (prefix, wildcards, match) => {
    expect(keyPattern(prefix, wildcards)).toBe(match);
  });
});
