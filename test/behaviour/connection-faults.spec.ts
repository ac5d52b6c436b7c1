import { beforeAll, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { Redis } from 'ioredis';
import { firstValueFrom, type Observable } from 'rxjs';

import { type ClientRedisStreams, type ConnectionOption, PublishError } from '../../lib/index.js';
import { clientsForTests } from '../support/clients-for-tests.js';
import { freshName } from '../support/fresh-name.js';
import { logged, recordedLog } from '../support/recorded-log.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { handlerOf, streamsApp } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
const { clientFor, clientBehindProxy } = clientsForTests(redis);

beforeAll(() => Logger.overrideLogger(recordedLog));

const LONG = { timeoutMs: 30_000 };

const withDatabase = (database: number): string => {
  const url = new URL(redis.url);
  url.pathname = `/${database}`;
  return url.href;
};

const withWrongPassword = (): string => {
  const url = new URL(redis.url);
  url.username = 'nobody';
  url.password = 'sesame';
  return url.href;
};

const clientOf = (connection: ConnectionOption): ClientRedisStreams =>
  clientFor({ connection, publishTimeoutMs: 500, requestTimeoutMs: 20_000 });

const failureOf = async (call: Observable<unknown>): Promise<PublishError> => {
  const error: unknown = await firstValueFrom(call).catch((thrown: unknown) => thrown);
  if (error instanceof PublishError) return error;
  throw new Error('it did not fail', { cause: error });
};

/** Each way of being without a connection, and what it is called. */
const REASONS: readonly [title: string, connection: () => ConnectionOption, reason: RegExp][] = [
  [
    'a wrong password',
    withWrongPassword,
    /WRONGPASS invalid username-password pair or user is disabled/,
  ],
  [
    'a database that Redis does not have',
    () => withDatabase(99),
    /database 99: ERR DB index is out of range/,
  ],
  [
    'a port on which nothing listens',
    () => 'redis://127.0.0.1:1',
    /connect ECONNREFUSED 127\.0\.0\.1:1/,
  ],
  [
    'a name that does not resolve',
    () => 'redis://nowhere.invalid',
    /getaddrinfo (ENOTFOUND|EAI_AGAIN) nowhere\.invalid/,
  ],
];

describe('a connection that cannot be made', () => {
  it.each(REASONS)(
    '%s is named by emit(), send() and cancel(), and is the cause',
    async (_, connection, reason) => {
      const client = clientOf(connection());
      const stream = freshName('orders');
      const calls = [client.emit(stream, { n: 1 }), client.send(stream, { n: 1 })];
      for (const error of await Promise.all(calls.map((call) => failureOf(call)))) {
        expect(error.reason).toMatch(
          new RegExp(`^no connection within 500 ms: .*${reason.source}$`),
        );
        expect(error).toMatchObject({ ambiguous: false, cause: expect.any(Error) });
      }
      const cancelled = await client.cancel(stream, 'm-1').catch((error: unknown) => error);
      expect(cancelled).toMatchObject({
        code: 'CANCEL_FAILED',
        reason: expect.stringMatching(reason),
        cause: expect.any(Error),
      });
    },
  );

  it('may fail twice: a second error of its socket does not end the process', async () => {
    // As if a certificate is not trusted, and the server's answer to that arrives while the socket is being closed.
    const late: unknown[] = [];
    const client = clientOf(({ options }) => {
      const connection = new Redis({ ...options, host: '127.0.0.1', port: 1 });
      connection.on('error', () =>
        process.nextTick(() => {
          try {
            late.push(connection.stream.emit('error', new Error('the server said something else')));
          } catch (error) {
            late.push(error);
          }
        }),
      );
      return connection;
    });
    await failureOf(client.emit(freshName('orders'), 1));
    expect(late.length).toBeGreaterThan(0);
    expect(new Set(late)).toEqual(new Set([true]));
  });

  it('is refused, if Redis answers and does not let the user in', async () => {
    const client = clientOf(withWrongPassword());
    const before = logged('warn', '(client)').length;
    const lines = (): string[] => logged('warn', '(client)').slice(before);
    await failureOf(client.emit(freshName('orders'), 1));
    expect(lines()).toEqual([
      'Redis refuses the connection (client): WRONGPASS invalid username-password pair or user is disabled. Trying again until it accepts it',
    ]);
  });

  it('is logged again if the reason changes, and once if it does not', async () => {
    const { client, proxy } = await clientBehindProxy({ publishTimeoutMs: 500 });
    const before = logged('warn', '(client)').length;
    await proxy.close();
    const lines = (): string[] => logged('warn', '(client)').slice(before);
    await waitFor(() => lines().length === 2, LONG);
    const { port } = new URL(proxy.url);
    expect(lines()).toEqual([
      'Redis cannot be reached (client): read ECONNRESET. Trying again until it can',
      `Redis cannot be reached (client): connect ECONNREFUSED 127.0.0.1:${port}. Trying again until it can`,
    ]);
    await failureOf(client.emit('orders', 1));
    expect(lines()).toHaveLength(2);
  });
});

describe('a database that Redis refuses', () => {
  it('is never replaced by database 0: nothing is written or read there', async () => {
    const stream = freshName('orders');
    await redis.client.xadd(stream, '*', 'name', stream, 'body', '1');
    const lines = (): string[] =>
      logged(
        'warn',
        'Redis refuses the connection (commands): database 99: ERR DB index is out of range',
      );
    const before = lines().length;
    const seen: unknown[] = [];
    await streamsApp(
      { connection: withDatabase(99), group: 'billing', startFrom: 'beginning' },
      {
        controllers: [handlerOf(stream, (data) => void seen.push(data))],
        before: (app) => {
          const refused = waitFor(() => lines().length > before, LONG);
          void refused
            .then(() => failureOf(clientOf(withDatabase(99)).emit(stream, { n: 1 })))
            .finally(() => app.close());
        },
      },
    ).catch(() => undefined);
    expect(seen).toEqual([]);
    expect(await redis.client.xlen(stream)).toBe(1);
    expect(await redis.client.xinfo('GROUPS', stream)).toEqual([]);
  });

  it('is used once Redis allows it', async () => {
    const stream = freshName('orders');
    await redis.client.acl('SETUSER', 'clerk', 'on', '>sesame', '~*', '&*', '+@all', '-select');
    const url = new URL(withDatabase(1));
    url.username = 'clerk';
    url.password = 'sesame';
    const client = clientFor({ connection: url.href });
    const receipt = firstValueFrom(client.emit(stream, { n: 1 }));
    await waitFor(() => logged('warn', 'database 1: NOPERM').length > 0, LONG);
    await redis.client.acl('SETUSER', 'clerk', '+select');
    await receipt;
    expect(await redis.client.exists(stream)).toBe(0);
    const inOne = redis.client.duplicate({ db: 1 });
    expect(await inOne.xlen(stream)).toBe(1);
    inOne.disconnect();
  });
});
