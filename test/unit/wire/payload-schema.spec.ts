import { describe, expect, it } from '@jest/globals';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { MessageValidationError } from '../../../lib/index.js';
import { validate } from '../../../lib/wire/payload-schema.js';

/** A schema that answers so. */
const answering = (answer: unknown): StandardSchemaV1 =>
  ({ '~standard': { version: 1, vendor: 'test', validate: () => answer } }) as StandardSchemaV1;
const validated = (answer: unknown): unknown => validate(answering(answer), 'orders', 7);
const refusal = (answer: unknown): MessageValidationError => {
  const error = validated(answer);
  if (!(error instanceof MessageValidationError)) throw new Error('it was not refused');
  return error;
};

describe('a payload that a schema accepts', () => {
  it('is returned synchronously by a synchronous schema, even if it is undefined', () => {
    expect(validated({ value: 'seven' })).toEqual({ payload: 'seven' });
    expect(validated({ value: undefined })).toEqual({ payload: undefined });
    expect(validated({ value: null, issues: undefined })).toEqual({ payload: null });
  });

  it('is returned as a promise if the schema returns any promise', async () => {
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

describe('a payload that a schema refuses', () => {
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

  it('keeps only paths and messages of the issues, and shortens them', () => {
    const issue = { message: 'm'.repeat(5_000), path: ['p'.repeat(5_000)], input: 'the value' };
    const { issues, reason } = refusal({ issues: [issue] });
    expect(Object.keys(issues[0] ?? {})).toEqual(['path', 'message']);
    expect(reason).toBe(`${'p'.repeat(200)}…: ${'m'.repeat(200)}…`);
  });

  it.each([[[]], [{}], [true]])('is refused even with odd issues: %p', (issues) => {
    expect(refusal({ issues })).toMatchObject({
      reason: 'the schema refused it without an issue',
      issues: [],
    });
  });

  it('is an error if the schema returns no result, or an odd issue', () => {
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
