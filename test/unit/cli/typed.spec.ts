import { describe, expect, it } from '@jest/globals';
import type { RedisOptions } from 'ioredis';

import { parseEntryId, parseSpan, wholeNumber } from '../../../lib/cli/program/arguments.js';
import { codecOf } from '../../../lib/cli/session.js';
import { connectionOf } from '../../../lib/cli/connection/connection-of.js';
import { spanText } from '../../../lib/cli/output/text.js';

describe('the parsing of arguments', () => {
  it('durations are whole numbers with a unit', () => {
    const spans = ['500ms', '30s', '15m', '12h', '7d', '0s'];
    expect(spans.map(parseSpan)).toEqual([500, 30_000, 900_000, 43_200_000, 604_800_000, 0]);
    for (const wrong of ['', '5', '1.5s', '-1s', '1 s', '1w', 's', '999999999999999d']) {
      expect(() => parseSpan(wrong)).toThrow('a duration');
    }
  });

  it('numbers are whole and within their bounds', () => {
    expect(wholeNumber(1, 10)('10')).toBe(10);
    for (const wrong of ['0', '11', '1.5', '-1', '', 'ten', '1e1', '0x1']) {
      expect(() => wholeNumber(1, 10)(wrong)).toThrow('whole number, 1 to 10');
    }
    expect(() => wholeNumber(1)('0')).toThrow('1 or more');
  });

  it('entry IDs are complete', () => {
    expect(parseEntryId('1729768245123-0')).toBe('1729768245123-0');
    for (const wrong of ['1729768245123', '-', '+', '1-', 'a-0', '1-0 ']) {
      expect(() => parseEntryId(wrong)).toThrow('an entry ID');
    }
  });

  it('the URL gives the address and the credentials', () => {
    expect(connectionOf({ url: 'redis://bob:p%40ss@redis.example:6380/2' })).toEqual({
      where: 'redis.example:6380',
      connection: {
        host: 'redis.example',
        port: 6380,
        db: 2,
        username: 'bob',
        password: 'p@ss',
        retryStrategy: expect.any(Function),
        sentinelRetryStrategy: expect.any(Function),
      },
    });
    expect(connectionOf({ url: 'redis://' }).connection).toMatchObject({
      host: '127.0.0.1',
      port: 6379,
      db: 0,
    });
    expect(connectionOf({ url: 'redis://[::1]:7000' }).connection).toMatchObject({ host: '::1' });
  });

  it('any TLS option turns TLS on, and certificates are verified except with --insecure', () => {
    const tlsOf = (flags: object) => {
      const { connection } = connectionOf({ url: 'redis://localhost', ...flags });
      return (connection as RedisOptions).tls;
    };
    expect(tlsOf({})).toBeUndefined();
    expect(tlsOf({ url: 'rediss://localhost' })).toEqual({ rejectUnauthorized: true });
    expect(tlsOf({ tls: true })).toEqual({ rejectUnauthorized: true });
    expect(tlsOf({ tlsServername: 'redis' })).toEqual({
      servername: 'redis',
      rejectUnauthorized: true,
    });
    expect(tlsOf({ insecure: true })).toEqual({ rejectUnauthorized: false });
    expect(connectionOf({ url: 'rediss://localhost' }).where).toBe('localhost:6379 (TLS)');
  });

  it('an error about the URL never shows it', () => {
    for (const url of [
      'http://bob:hunter2@x',
      'hunter2',
      'redis://bob:hunter2@x/db',
      'redis://b:%hunter2@x',
    ]) {
      let said = '';
      try {
        connectionOf({ url });
      } catch (error) {
        said = String(error);
      }
      expect([url, said]).toEqual([url, expect.stringContaining('redis://user:password@host')]);
      expect(said).not.toContain('hunter2');
    }
  });

  it('codecs are chosen by name', async () => {
    for (const name of ['json', 'watermill', 'natricine', 'field:data']) {
      expect(await codecOf(name, undefined)).toBeDefined();
    }
    for (const name of ['', 'morse', 'field:']) {
      await expect(codecOf(name, undefined)).rejects.toThrow('is not one of');
    }
    await expect(codecOf('json', 'text')).rejects.toThrow('--payload');
  });
});

describe('a printed duration', () => {
  it('has at most two units', () => {
    const spans = [0, 0.4, 999, 1_000, 61_000, 3_600_000, 90_061_000, 8_640_000_000];
    expect(spans.map(spanText)).toEqual([
      '0ms',
      '0ms',
      '999ms',
      '1s',
      '1m 1s',
      '1h',
      '1d 1h',
      '100d',
    ]);
  });
});
