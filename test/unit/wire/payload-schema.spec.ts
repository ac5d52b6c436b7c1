import { describe, expect, it } from '@jest/globals';
import type { StandardSchemaV1 } from '@standard-schema/spec';

import { validate } from '../../../lib/wire/payload-schema.js';
import { MessageValidationError } from '../../../lib/index.js';

/** A schema that answers so. */
const answering = (answer: unknown): StandardSchemaV1 =>
  ({ '~standard': { version: 1, vendor: 'test', validate: () => answer } }) as StandardSchemaV1;
const validated = (answer: unknown): unknown => validate(answering(answer), 'orders', 7);
const refusal = (answer: unknown): MessageValidationError => {
  const error = validated(answer);
  if (!(error instanceof MessageValidationError)) throw new Error('it was not refused');
  return error;
};

describe('what a schema makes of a payload', () => {
  it('is there at once where the schema answers at once, also where it is nothing', () => {
    expect(validated({ value: 'seven' })).toEqual({ payload: 'seven' });
    expect(validated({ value: undefined })).toEqual({ payload: undefined });
    expect(validated({ value: null, issues: undefined })).toEqual({ payload: null });
  });

  it('is waited for where it answers with any promise', async () => {
    const answer = { value: 'seven' };
    // oxlint-disable-next-line unicorn/no-thenable -- as libraries have them
    const thenable = { then: (take: (its: unknown) => void) => take(answer) };
    for (const later of [Promise.resolve(answer), thenable]) {
      const outcome = validated(later);
      expect(outcome).toBeInstanceOf(Promise);
      expect(await outcome).toEqual({ payload: 'seven' });
    }
  });
});

describe('what a schema refuses', () => {
  it.each<[unknown, string]>([
    [undefined, ''],
    [[], ''],
    [['items', 0, 'id'], 'items[0].id'],
    [[{ key: 'items' }, { key: 0 }, { key: 'id' }], 'items[0].id'],
    [[3], '[3]'],
    [[Symbol('secret')], 'Symbol(secret)'],
    ['items', ''],
  ])('says where: %p', (path, expected) => {
    expect(refusal({ issues: [{ message: 'no', path }] }).issues).toEqual([
      { path: expected, message: 'no' },
    ]);
  });

  it('takes over path and message alone, and cuts them', () => {
    const issue = { message: 'm'.repeat(5_000), path: ['p'.repeat(5_000)], input: 'the value' };
    const { issues, reason } = refusal({ issues: [issue] });
    expect(Object.keys(issues[0] ?? {})).toEqual(['path', 'message']);
    expect(reason).toBe(`${'p'.repeat(200)}…: ${'m'.repeat(200)}…`);
  });

  it.each([[[]], [{}], [true]])('is refused, however it says so: issues %p', (issues) => {
    expect(refusal({ issues })).toMatchObject({
      reason: 'the schema refused it without an issue',
      issues: [],
    });
  });

  it('is no crash where the answer is none, or an issue is odd', () => {
    for (const answer of [undefined, null, 7, 'text']) {
      expect(refusal(answer)).toMatchObject({ reason: expect.stringContaining('neither a value') });
    }
    expect(refusal({ issues: [null, undefined, 'text'] }).issues).toHaveLength(3);
    const throwing = Object.defineProperty({}, 'issues', {
      get: () => {
        throw new Error('not now');
      },
    });
    expect(refusal(throwing).reason).toBe('the schema failed: not now');
  });
});
