import { describe, expect, it } from '@jest/globals';
import { firstValueFrom } from 'rxjs';

import {
  DeadLetterException,
  InvalidStreamNameError,
  PublishError,
  RedisStreamsRecordBuilder,
} from '../../lib/index.js';
import { clientsForTests } from '../support/clients-for-tests.js';
import { freshName } from '../support/fresh-name.js';
import { isCaughtUp } from '../support/group-state.js';
import { logged, recordedLog } from '../support/recorded-log.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach, handlerOf, streamsApp } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
const { clientFor } = clientsForTests(redis);
closeAppsAfterEach();

const GROUP = 'billing';
/** A new line, a colour, a mark that turns text around, and a line separator. */
const OBEYED = '\n[Nest] forged\u001b[31m\u202e\u2028';
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

const expectSafe = (lines: readonly string[]): void => {
  for (const line of lines) {
    expect(line.slice(0, 9_000)).not.toMatch(UNSAFE);
    expect(line.length).toBeLessThan(9_000);
  }
};

describe('a line of the log, whoever publishes', () => {
  it('is one line of bounded length that nothing in it can break or colour', async () => {
    const start = freshName('tenant');
    const stream = `${start}${OBEYED}`;
    const runs: unknown[] = [];
    await streamsApp(
      {
        connection: redis.url,
        group: GROUP,
        startFrom: 'beginning',
        discoveryIntervalMs: 100,
        retry: { maxAttempts: 2, backoff: { type: 'fixed', delayMs: 1 } },
      },
      {
        controllers: [
          handlerOf(`${start}*`, (data) => {
            runs.push(data);
            throw runs.length > 1 ? new DeadLetterException(`no${OBEYED}`) : new Error(OBEYED);
          }),
        ],
      },
    );
    const long = `m${OBEYED}${'x'.repeat(1_000_000)}`;
    await redis.client.xadd(stream, '*', 'name', OBEYED, 'body', '{}', 'id', long);
    await redis.client.xadd(stream, '*', 'name', OBEYED, 'body', `{${OBEYED}`, 'id', OBEYED);
    await waitFor(
      () => logged('error', 'Dead letter').filter((line) => line.includes(start)).length >= 2,
    );
    await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
    const lines = recordedLog.lines.map(({ text }) => text).filter((line) => line.includes(start));
    expect(lines.length).toBeGreaterThan(3);
    expectSafe(lines);
    // What follows a long ID is still in the line.
    expect(lines.find((line) => line.includes('no\\u000a[Nest] forged'))).toMatch(/attempt 2\)/);
  });
});

describe('the message of an error', () => {
  it('is one line of bounded length, and has the reason after a long ID', async () => {
    const stream = `${freshName('orders')}${OBEYED}`;
    await redis.client.set(stream, 'no stream');
    const record = new RedisStreamsRecordBuilder({})
      .setMessageId(OBEYED + 'x'.repeat(100_000))
      .build();
    const error: unknown = await firstValueFrom(clientFor({}).emit(stream, record)).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(PublishError);
    expect(error).toMatchObject({ stream });
    const { message } = error as PublishError;
    expectSafe([message, new InvalidStreamNameError(OBEYED).message]);
    expect(message).toContain('WRONGTYPE');
  });
});
