import { describe, expect, it } from '@jest/globals';
import { BadRequestException } from '@nestjs/common';
import { RpcException } from '@nestjs/microservices';

import { describeThrown, thrownText } from '../../../lib/errors/thrown-text.js';
import { cutText, isA } from '../../../lib/errors/thrown.js';
import { ANYTHING } from '../../support/anything.js';

const MB = 1024 * 1024;
const MOST_BYTES = 12 * 1024 + 100;

describe('what is kept of anything that was thrown', () => {
  it.each(ANYTHING)('is text of bounded size: %s', (_, make) => {
    const { cut, ...texts } = describeThrown(make());
    for (const text of Object.values(texts)) expect(['string', 'undefined']).toContain(typeof text);
    expect(Buffer.byteLength(Object.values(texts).join(''))).toBeLessThan(MOST_BYTES);
    expect(texts.name).not.toBe('');
    expect(Array.isArray(cut)).toBe(true);
    expect(Buffer.byteLength(thrownText(make()))).toBeLessThan(1_100);
    expect(isA(make(), RegExp)).toBe(false);
  });

  it('is its class, even if it set no name, its message and its stack', () => {
    class OrderError extends Error {}
    expect(describeThrown(new OrderError('out of stock'))).toEqual({
      name: 'OrderError',
      message: 'out of stock',
      stack: expect.stringContaining('thrown.spec'),
      causes: undefined,
      details: undefined,
      cut: [],
    });
    expect(describeThrown(Object.assign(new OrderError(), { name: 'Own' })).name).toBe('Own');
  });

  it('is the beginning of each text if they are large, and which were cut', () => {
    const error = new RangeError('ä'.repeat(50 * MB));
    const { message, stack, cut } = describeThrown(error);
    expect(message).toBe(`${'ä'.repeat(1_536)}…`);
    // The frames are kept, since its message is cut there too.
    expect(stack).toContain('thrown.spec');
    expect(cut).toEqual(['message']);
  });

  it('is its chain of causes', () => {
    const cause = new TypeError('no route', { cause: new Error('cable', { cause: 'rodent' }) });
    const error = new Error('cannot charge', { cause });
    expect(describeThrown(error).causes).toBe(
      ['caused by TypeError: no route', '  caused by cable', '    caused by rodent'].join('\n'),
    );
    expect(thrownText(error)).toBe(
      'cannot charge; caused by TypeError: no route; caused by cable; caused by rodent',
    );
  });

  it('is the first errors of an AggregateError', () => {
    const errors = Array.from({ length: 5_000 }, (_, n) => new Error(`part ${n}`));
    const { causes } = describeThrown(new AggregateError(errors, 'all failed'));
    expect(causes?.split('\n').slice(0, 2)).toEqual([
      'error 1 of 5000: part 0',
      'error 2 of 5000: part 1',
    ]);
    expect(causes?.split('\n')).toHaveLength(13);
    expect(thrownText(new AggregateError(errors, 'all failed'))).toBe(
      'AggregateError: all failed; error 1 of 5000: part 0; error 2 of 5000: part 1; error 3 of 5000: part 2; …',
    );
  });

  it('is what an exception of Nest says beside its message', () => {
    const invalid = new BadRequestException(['name must be text', 'age must be a number']);
    expect(JSON.parse(describeThrown(invalid).details ?? '')).toEqual({
      message: ['name must be text', 'age must be a number'],
      error: 'Bad Request',
      statusCode: 400,
    });
    expect(thrownText(invalid)).toBe(
      'BadRequestException: Bad Request Exception (name must be text; age must be a number)',
    );
    expect(describeThrown(new RpcException({ code: 7 })).details).toBe('{"code":7}');
    expect(describeThrown(new RpcException('only text')).details).toBeUndefined();
  });

  it('is an object that is no error, in the dead letter only: it may hold a payload', () => {
    expect(describeThrown({ code: 7, of: [1n, new Date(0), Buffer.alloc(3)] })).toMatchObject({
      name: 'object',
      message: '[object Object]',
      details: '{"code":7,"of":["1","1970-01-01T00:00:00.000Z","3 bytes"]}',
    });
    expect(thrownText({ secret: 'kept' })).not.toContain('kept');
  });

  it('is not more of an object than its limits allow', () => {
    const circular: Record<string, unknown> = { deep: {} };
    circular['self'] = circular;
    const large = Object.fromEntries(
      Array.from({ length: 500 }, (_, n) => [`p${n}`, 'x'.repeat(99)]),
    );
    for (const thrown of [circular, large, new RpcException({ large })]) {
      const { details, cut } = describeThrown(thrown);
      expect(() => JSON.parse(details ?? '')).not.toThrow();
      expect(details?.length).toBeLessThan(2_048);
      expect(cut).toEqual(['details']);
    }
  });
});

describe('cutText', () => {
  it.each([
    ['', 10, ''],
    ['1234567890', 10, '1234567890'],
    ['12345678901', 10, '1234567890…'],
    ['ääääää', 11, 'äääää…'],
    ['ääääää', 12, 'ääääää'],
    ['a😀😀😀', 8, 'a😀…'],
  ])('of %j to %d bytes is %j', (text, bytes, expected) => {
    expect(cutText(text, bytes)).toBe(expected);
  });
});
