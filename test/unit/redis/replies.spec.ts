import { describe, expect, it } from '@jest/globals';
import { UnexpectedReplyError } from '../../../lib/index.js';
import {
  parseCount,
  parseEntries,
  parseList,
  parseStreams,
  parseText,
} from '../../../lib/redis/read/replies.js';

const bytes = (text: string): Buffer => Buffer.from(text);

describe('parseStreams', () => {
  it('reads the nested reply of XREADGROUP, in its order', () => {
    const reply = [
      [
        bytes('orders'),
        [
          [bytes('1-0'), [bytes('name'), bytes('a')]],
          [bytes('2-0'), [bytes('name'), bytes('b')]],
        ],
      ],
      [bytes('parcels'), [[bytes('9-1'), [bytes('x'), Buffer.from([0, 255])]]]],
    ];
    expect(parseStreams(reply, 'XREADGROUP')).toEqual([
      {
        stream: 'orders',
        entries: [
          { id: '1-0', fields: [bytes('name'), bytes('a')] },
          { id: '2-0', fields: [bytes('name'), bytes('b')] },
        ],
      },
      { stream: 'parcels', entries: [{ id: '9-1', fields: [bytes('x'), Buffer.from([0, 255])] }] },
    ]);
  });

  it.each([null, undefined])('reads %p as no entries', (reply) => {
    expect(parseStreams(reply, 'XREADGROUP')).toEqual([]);
  });

  it.each([
    ['text', 'OK'],
    ['a number', 7],
    ['an object', { orders: [] }],
    ['a flat list', [bytes('orders'), []]],
    ['a stream without entries', [[bytes('orders')]]],
    ['entries that are no list', [[bytes('orders'), 'x']]],
    ['a name that is none', [[17, []]]],
    ['an entry that is no list', [[bytes('orders'), [bytes('1-0')]]]],
    ['an entry ID that is none', [[bytes('orders'), [[null, []]]]]],
    ['fields as text', [[bytes('orders'), [[bytes('1-0'), 'name a']]]]],
    ['a field that is no bytes', [[bytes('orders'), [[bytes('1-0'), [bytes('name'), 4]]]]]],
    ['a map of fields', [[bytes('orders'), [[bytes('1-0'), { name: 'a' }]]]]],
  ])('refuses %s, and names the command', (_, reply) => {
    expect(() => parseStreams(reply, 'XREADGROUP')).toThrow(UnexpectedReplyError);
    expect(() => parseStreams(reply, 'XREADGROUP')).toThrow('XREADGROUP');
  });
});

describe('parseEntries', () => {
  it.each([
    ['null', null],
    ['nothing', undefined],
    ['an empty list', []],
  ])('reads an entry with %s as deleted', (_, fields) => {
    expect(parseEntries([[bytes('1-0'), fields]], 'XCLAIM')).toEqual([
      { id: '1-0', fields: undefined },
    ]);
  });

  it('refuses null instead of a list', () => {
    expect(() => parseEntries(null, 'XRANGE')).toThrow(UnexpectedReplyError);
  });
});

describe('parseText, parseCount, parseList', () => {
  it('accept the type in their name', () => {
    expect(parseText(bytes('é'), 'GET')).toBe('é');
    expect(parseText('a', 'GET')).toBe('a');
    expect(parseCount(0, 'XACK')).toBe(0);
    expect(parseList([], 'XPENDING')).toEqual([]);
  });

  it.each([null, undefined, {}, true])('refuse %p', (reply) => {
    for (const parse of [parseText, parseCount, parseList]) {
      expect(() => parse(reply, 'GET')).toThrow(UnexpectedReplyError);
    }
    expect(() => parseCount('7', 'XACK')).toThrow(UnexpectedReplyError);
  });
});
