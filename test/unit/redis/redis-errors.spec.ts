import { describe, expect, it } from '@jest/globals';
import { ReplyError } from 'ioredis';
import {
  cleanCause,
  errorText,
  isGroupGone,
  isRedisReply,
} from '../../../lib/redis/server/redis-errors.js';

const reply = (message: string): Error => {
  const error: Error = new ReplyError(message);
  return error;
};

describe('isRedisReply', () => {
  it('is true for an answer of Redis, and not for a broken connection', () => {
    expect(isRedisReply(reply('WRONGTYPE Operation against a key'))).toBe(true);
    expect(isRedisReply(new Error('Connection is closed.'))).toBe(false);
    expect(isRedisReply(undefined)).toBe(false);
    expect(isRedisReply({ name: 'ReplyError' })).toBe(false);
  });
});

describe('isGroupGone', () => {
  it.each([
    "NOGROUP No such key 'orders' or consumer group 'billing' in XREADGROUP with GROUP option",
    'UNBLOCKED the stream key no longer exists',
  ])('is true for %s', (message) => {
    expect(isGroupGone(reply(message))).toBe(true);
  });

  it('is false for other errors', () => {
    expect(isGroupGone(reply('NOAUTH Authentication required.'))).toBe(false);
    expect(isGroupGone(new Error('NOGROUP said by somebody else'))).toBe(false);
  });
});

describe('errorText', () => {
  it('is the message', () => {
    expect(errorText(new Error('gone'))).toBe('gone');
    expect(errorText('gone')).toBe('gone');
    expect(errorText(undefined)).toBe('undefined');
  });

  it('names every address that was tried if Node gives no message', () => {
    const error = new AggregateError([
      new Error('connect ECONNREFUSED ::1:6379'),
      new Error('connect ECONNREFUSED 127.0.0.1:6379'),
    ]);
    expect(errorText(error)).toBe(
      'connect ECONNREFUSED ::1:6379; connect ECONNREFUSED 127.0.0.1:6379',
    );
  });
});

describe('cleanCause', () => {
  it('keeps the message, but not the command with the password', () => {
    const error = Object.assign(reply('WRONGPASS invalid username-password pair'), {
      command: { name: 'auth', args: ['hunter2'] },
    });
    const clean = cleanCause(error);
    expect(clean).toMatchObject({ name: 'ReplyError', message: error.message, stack: error.stack });
    expect(clean).not.toHaveProperty('command');
    expect(JSON.stringify(clean, Object.getOwnPropertyNames(clean))).not.toContain('hunter2');
  });

  it('turns any value into an error', () => {
    expect(cleanCause('gone')).toBeInstanceOf(Error);
    expect(cleanCause('gone').message).toBe('gone');
  });
});
