import { describe, expect, it } from '@jest/globals';
import { deadLetterFields, deadLetterParts } from '../../../lib/wire/dead-letter-fields.js';

const bytes = (...fields: string[]): Buffer[] => fields.map((field) => Buffer.from(field));
const CAUSE = {
  reason: 'failed 5 time(s)',
  error: new TypeError('out of stock'),
  attempts: 5,
  entryId: '1-1',
  stream: 'orders',
  group: 'billing',
  consumer: 'a',
  inLedger: false,
};

describe('deadLetterParts', () => {
  it.each([
    [['name', 'orders', 'body', '{}']],
    [[]],
    [['dead-letter-reason', 'of an earlier life', 'body', '{}', 'dead-letter-attempts', '2']],
    [['body', 'dead-letter-reason', 'dead-letter-reason', 'body']],
  ])('returns what deadLetterFields was given: %j', (fields) => {
    const written = deadLetterFields(bytes(...fields), CAUSE).map((field) => Buffer.from(field));
    const { fields: original, cause } = deadLetterParts(written);
    expect(original).toEqual(bytes(...fields));
    expect(Object.fromEntries(cause)).toEqual({
      reason: 'failed 5 time(s)',
      'error-name': 'TypeError',
      'error-message': 'out of stock',
      'error-stack': CAUSE.error.stack,
      attempts: '5',
      'entry-id': '1-1',
      stream: 'orders',
      group: 'billing',
      consumer: 'a',
    });
  });

  it('tells that at-most-once wrote to the ledger', () => {
    const written = deadLetterFields([], { ...CAUSE, inLedger: true });
    const { cause } = deadLetterParts(written.map((field) => Buffer.from(field)));
    expect(cause.get('delivery')).toBe('at-most-once');
  });

  it('reads an entry without a reason, from another program', () => {
    const { fields, cause } = deadLetterParts(bytes('dead-letter-entry-id', '7-7', 'body', '{}'));
    expect(fields).toEqual(bytes('body', '{}'));
    expect(cause.get('entry-id')).toBe('7-7');
  });
});
