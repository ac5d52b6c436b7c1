import { describe, expect, it } from '@jest/globals';
import { ReplyError } from 'ioredis';
import {
  cleanCause,
  errorText,
  isAboutStream,
  isGroupGone,
  isRedisReply,
  isRefusal,
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

describe('isRefusal', () => {
  const OLD = 'ERR Error running script (call to f_0a1b): @user_script:3: ';
  it.each([
    'LOADING Redis is loading the dataset in memory',
    'BUSY Redis is busy running a script.',
    "OOM command not allowed when used memory > 'maxmemory'.",
    "READONLY You can't write against a read only replica.",
    'MISCONF Redis is configured to save RDB snapshots',
    'CLUSTERDOWN Hash slot not served',
    'MOVED 1 127.0.0.1:7000',
    'NOGROUP No such key',
    'NOAUTH Authentication required.',
    `${OLD}@user_script: 3: -OOM command not allowed when used memory > 'maxmemory'.`,
    `${OLD}@user_script: 3: -READONLY You can't write against a read only replica.`,
  ])('is false for what passes: %s', (message) => {
    expect(isRefusal(reply(message))).toBe(false);
  });

  it.each([
    ['WRONGTYPE Operation against a key holding the wrong kind of value', true],
    [`${OLD}@user_script: 3: WRONGTYPE Operation against a key`, true],
    ['NOPERM this user has no right to the key orders', true],
    ["CROSSSLOT Keys in request don't hash to the same slot", true],
    [`${OLD}The user executing the script can't run this command or subcommand`, true],
    ['ERR user_script:5: too many results to unpack script: 0a1b, on @user_script:5.', false],
    [`${OLD}Expected value but found invalid unicode escape code at character 5`, false],
  ])('is true for what does not: %s', (message, isOfStream) => {
    expect(isRefusal(reply(message))).toBe(true);
    expect(isAboutStream(reply(message))).toBe(isOfStream);
  });

  it('is false for a broken connection', () => {
    expect(isRefusal(new Error('Connection is closed.'))).toBe(false);
    expect(isRefusal(new TypeError('no'))).toBe(false);
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
