import { describe, expect, it } from '@jest/globals';
import { RpcException } from '@nestjs/microservices';
import type { EntryFields } from '../../../lib/wire/codec.js';
import {
  errorFields,
  nobodyFields,
  readReply,
  replyFields,
} from '../../../lib/wire/request-reply-fields.js';

const ORIGIN = { id: '7k', group: 'a group', attempt: 2, run: 'f00.3', number: 4 };
const raw = (fields: EntryFields): Buffer[] => fields.map((field) => Buffer.from(field));

describe('a reply', () => {
  it.each(['next', 'last'] as const)('%s contains what the codec wrote', (kind) => {
    const value = ['name', 'quote', 'body', Buffer.from([0, 255])];
    expect(readReply(raw(replyFields(ORIGIN, kind, value)))).toEqual({
      ...ORIGIN,
      kind,
      value: raw(value),
    });
  });

  it('end contains no value', () => {
    expect(readReply(raw(replyFields(ORIGIN, 'end', [])))).toEqual({ ...ORIGIN, kind: 'end' });
  });

  it('nobody contains the number of groups', () => {
    expect(readReply(raw(replyFields(ORIGIN, 'nobody', nobodyFields(3))))).toEqual({
      ...ORIGIN,
      kind: 'nobody',
      groups: 3,
    });
  });

  it.each<[string, unknown, unknown]>([
    ['an object', { code: 7 }, { code: 7 }],
    ['a text', 'no', 'no'],
    ['nothing', undefined, { status: 'error', message: 'Unknown error' }],
    ['an Error', new Error('no'), { status: 'error', message: 'no' }],
    ['an RpcException with a text', new RpcException('no'), { status: 'error', message: 'no' }],
    ['an RpcException with an object', new RpcException({ code: 7 }), { code: 7 }],
    ['what JSON cannot say', { n: 1n }, { status: 'error', message: '[object Object]' }],
    ['what has its own form', { getError: 7 }, { getError: 7 }],
  ])('error contains %s', (_, error, expected) => {
    const reply = readReply(raw(replyFields(ORIGIN, 'error', errorFields(error))));
    expect(reply).toEqual({ ...ORIGIN, kind: 'error', error: expected });
  });

  it.each([[[]], [['opened', '1']], [['reply', '7k other 1 1 r g']], [['reply', 'nonsense']]])(
    '%j is not a reply',
    (fields) => {
      expect(readReply(raw(fields))).toBeUndefined();
    },
  );
});
