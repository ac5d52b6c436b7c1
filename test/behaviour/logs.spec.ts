import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { MessagePattern } from '@nestjs/microservices';
import { Redis } from 'ioredis';
import { firstValueFrom } from 'rxjs';
import { z } from 'zod';

import {
  DeadLetterException,
  DeadLetters,
  RedisStreamsRecordBuilder,
  RetentionJob,
} from '../../lib/index.js';
import { startRedis, type StartedRedis } from '../../lib/testing/index.js';
import { freshName } from '../support/fresh-name.js';
import { isCaughtUp } from '../support/group-state.js';
import { ownRedis } from '../support/own-redis.js';
import { logged, recordedLog } from '../support/recorded-log.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach, handlerOf, streamsApp } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
closeAppsAfterEach();
afterEach(() => {
  jest.restoreAllMocks();
});

const GROUP = 'billing';
const MARK = 'very-secret-body';
const FAST = { maxAttempts: 2, backoff: { type: 'fixed', delayMs: 1, jitter: 0 } } as const;
const withOwn = (await ownRedis()) === 'none' ? describe.skip : describe;

/** Everything logged since then, at any level. */
function sinceNow(): () => string[] {
  const before = recordedLog.lines.length;
  return () => recordedLog.lines.slice(before).map(({ text }) => text);
}

describe('the log', () => {
  it('names stream, group, entry, message and attempt in one line of each failure and dead letter', async () => {
    const stream = freshName('orders');
    const app = await streamsApp(
      { connection: redis.url, group: GROUP, retry: FAST },
      {
        controllers: [
          handlerOf(stream, () => {
            throw new Error('no stock');
          }),
        ],
      },
    );
    const { entryId, messageId } = await app.emit(stream, 1);
    await waitFor(() => logged('error', messageId).length === 1);
    const where = `stream "${stream}", group "${GROUP}", entry ${entryId}, message ${messageId}`;
    expect(logged('warn', messageId)).toEqual([
      `Failed, next attempt in 1 ms (${where}, attempt 1): no stock`,
    ]);
    expect(logged('error', messageId)).toEqual([
      `Dead letter, failed 2 time(s) (${where}, attempt 2): no stock`,
    ]);
    for (const line of [...logged('warn', messageId), ...logged('error', messageId)]) {
      expect(line).not.toContain('\n');
    }
  });

  it('never contains a body, whatever happens to messages', async () => {
    const loggedLines = sinceNow();
    const onConsole = (['log', 'warn', 'error', 'info', 'debug'] as const).map((name) =>
      jest.spyOn(console, name).mockImplementation(() => undefined),
    );
    const [stream, typed, once, asked] = ['orders', 'typed', 'once', 'asked'].map(freshName);
    const body = { secret: MARK };
    @Controller()
    class Answers {
      @MessagePattern<string>(asked!)
      answer(): never {
        throw new RangeError('not today');
      }
    }
    const app = await streamsApp(
      {
        connection: redis.url,
        group: GROUP,
        retry: FAST,
        startFrom: 'beginning',
        streams: {
          [stream!]: { retention: { maxLength: 1, force: true } },
          [typed!]: { schema: z.object({ n: z.number() }) },
        },
      },
      {
        controllers: [
          Answers,
          handlerOf<{ as?: string }>({ stream: stream!, name: stream! }, (data, context) => {
            if (data.as === 'dead') throw new DeadLetterException('said so');
            if (data.as === 'failing') throw new TypeError('out of order');
            if (data.as === 'later') context.retry({ delayMs: 1 });
          }),
          handlerOf(typed!, () => undefined),
          handlerOf(
            once!,
            () => {
              throw new Error('at most once');
            },
            { delivery: 'at-most-once' },
          ),
        ],
      },
    );
    for (const as of ['dead', 'failing', 'fine']) await app.emit(stream!, { ...body, as });
    const twice = new RedisStreamsRecordBuilder(body).setMessageId('twice').build();
    await app.emit(stream!, twice);
    await redis.client.xadd(
      stream!,
      '*',
      'name',
      stream!,
      'body',
      `{"a":"${MARK}"}`,
      'id',
      'twice',
    );
    await app.emit({ stream: stream!, name: 'unwanted' }, body);
    await app.emit(once!, body);
    // Invalid JSON, a payload that does not fit, and an entry without any known field.
    await redis.client.xadd(stream!, '*', 'name', stream!, 'body', `{${MARK}`);
    await redis.client.xadd(stream!, '*', MARK, MARK);
    await redis.client.xadd(typed!, '*', 'name', typed!, 'body', JSON.stringify(body));
    await expect(firstValueFrom(app.client.send(asked!, body))).rejects.toBeDefined();
    // Nobody listens to these, so the log reports what happened to them.
    const text = freshName('text');
    await redis.client.set(text, MARK);
    app.client.emit(text, body);
    app.client.emit(stream!, { ...body, big: 1n });
    app.client.emit(typed!, body);
    app.client.emitBatch(text, [body, body]);
    const deadLetters = app.app.get(DeadLetters);
    await waitFor(async () => (await deadLetters.count({ stream: stream! })) === 4);
    await deadLetters.redrive({ stream: stream!, filter: ({ name }) => name === stream });
    await app.app.get(RetentionJob).run();
    await waitFor(() => loggedLines().filter((line) => line.includes('emit')).length >= 4);
    for (const one of [stream!, typed!, once!]) {
      await waitFor(() => isCaughtUp(redis.client, one, GROUP));
    }
    await app.close();
    const printed = onConsole.flatMap((spy) => spy.mock.calls.flat().map(String));
    expect(loggedLines().length).toBeGreaterThan(12);
    expect([...loggedLines(), ...printed].filter((line) => line.includes(MARK))).toEqual([]);
  });

  it('says once that a job fails, until it works again', async () => {
    const stream = freshName('orders');
    const loggedLines = sinceNow();
    const app = await streamsApp(
      { connection: redis.url, group: GROUP, maintenance: { ledgerIntervalMs: 1_000 } },
      { controllers: [handlerOf(stream, () => undefined)] },
    );
    const job = () =>
      app.monitor.getStats().jobs.find(({ name }) => name === 'redis-streams:ledger');
    const runs = new Set<unknown>();
    await redis.client.set(`stream:{${stream}}:group:${GROUP}:processed`, 'no ledger');
    await waitFor(() => {
      if (job()?.lastError !== undefined) runs.add(job()?.lastRunAt);
      return runs.size >= 3;
    });
    const failures = (): string[] =>
      loggedLines().filter((line) => line.includes('"redis-streams:ledger" failed'));
    expect(failures()).toHaveLength(1);
    await redis.client.del(`stream:{${stream}}:group:${GROUP}:processed`);
    await waitFor(() => job()?.lastError === undefined);
    await redis.client.set(`stream:{${stream}}:group:${GROUP}:processed`, 'no ledger');
    await waitFor(() => failures().length === 2);
  });
});

withOwn('a lasting fault', () => {
  let server: StartedRedis;
  let root: Redis;
  beforeEach(async () => {
    server = await startRedis({ args: [] });
    root = new Redis(server.url);
  });
  afterEach(async () => {
    root.disconnect();
    await server.stop();
  });

  it('is logged once, even while everything else works, and again if it had ended meanwhile', async () => {
    await root.call('ACL', 'SETUSER', 'bob', 'on', '>pw', '~*', '&*', '+@all');
    const may = (rule: string): Promise<unknown> => root.call('ACL', 'SETUSER', 'bob', rule);
    const stream = freshName('orders');
    let handled = 0;
    const app = await streamsApp(
      {
        connection: server.url.replace('//', '//bob:pw@'),
        group: GROUP,
        recovery: { minIdleMs: 1_000, intervalMs: 100 },
      },
      { controllers: [handlerOf(stream, () => void handled++)] },
    );
    // Recovery uses it, reading and settling do not.
    const warnings = (): number => logged('warn', 'no right to XPENDING').length;
    const count = async (pattern: RegExp): Promise<number> =>
      Number(pattern.exec(await root.info('commandstats'))?.[1] ?? 0);
    const refused = (): Promise<number> => count(/cmdstat_evalsha:.*failed_calls=(\d+)/);
    const asked = (): Promise<number> => count(/cmdstat_xpending:calls=(\d+)/);
    await may('-xpending');
    await waitFor(() => warnings() === 1);
    const before = await refused();
    await waitFor(async () => {
      const next = handled + 1;
      await app.emit(stream, next);
      await waitFor(() => handled === next);
      return (await refused()) >= before + 10;
    });
    expect(warnings()).toBe(1);
    await root.config('RESETSTAT');
    await may('+xpending');
    await waitFor(async () => (await asked()) >= 3);
    await may('-xpending');
    await waitFor(() => warnings() === 2);
    await app.close();
  });
});
