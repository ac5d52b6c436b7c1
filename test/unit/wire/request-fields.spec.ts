import { describe, expect, it } from '@jest/globals';
import { MessageDecodingError } from '../../../lib/index.js';
import type { EntryFields } from '../../../lib/wire/codec.js';
import { requestFields, splitRequest } from '../../../lib/wire/request-reply-fields.js';

const raw = (fields: EntryFields): Buffer[] => fields.map((field) => Buffer.from(field));
const REQUEST = { id: '7k', inbox: 'stream:replies:{abc}', timeoutMs: 30_000 };
const OWN = ['name', 'quote', 'body', '1'];

describe('the fields of a request', () => {
  it('are found among those of the codec, at any position', () => {
    for (const fields of [
      [...OWN, ...requestFields(REQUEST)],
      [...requestFields(REQUEST), ...OWN],
    ]) {
      expect(splitRequest(raw(fields))).toEqual({ own: raw(OWN), request: REQUEST });
    }
  });

  it('are not found in an event', () => {
    expect(splitRequest(raw(OWN))).toBeUndefined();
  });

  it.each([
    ['request-id', 'a b'],
    ['request-id', ''],
    ['request-timeout-ms', '-1'],
    ['request-timeout-ms', 'soon'],
  ])('with a wrong %s (%j) are refused, and not quoted', (field, value) => {
    const fields = [...OWN, ...requestFields(REQUEST)];
    fields[fields.indexOf(field) + 1] = value;
    expect(() => splitRequest(raw(fields))).toThrow(MessageDecodingError);
    expect(() => splitRequest(raw(fields))).toThrow(field);
  });
});
