import { setTimeout as delay } from 'node:timers/promises';

import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Controller, Logger, type Type } from '@nestjs/common';
import { MessagePattern, RpcException } from '@nestjs/microservices';
import { concat, firstValueFrom, lastValueFrom, of, tap, throwError, toArray } from 'rxjs';

import {
  ClientRedisStreams,
  DeadLetterException,
  DeadLetters,
  DuplicateRequestError,
  FieldCodec,
  InvalidOptionsError,
  MessageEncodingError,
  type RedisStreamsContext,
  type RedisStreamsModuleOptions,
  RedisStreamsRecordBuilder,
  ReplyInterruptedError,
  subscription,
  WatermillCodec,
} from '../../lib/index.js';
import { answeringController } from '../support/answering-controller.js';
import { childProgram, type ChildProgram, endChildPrograms } from '../support/child-program.js';
import { compiledPackage, type CompiledPackage } from '../support/compiled-package.js';
import { freshName } from '../support/fresh-name.js';
import { isCaughtUp } from '../support/group-state.js';
import { recordedLog } from '../support/recorded-log.js';
import { redisForTests } from '../support/redis-for-tests.js';
import {
  closeAppsAfterEach,
  handlerOf,
  type StreamsApp,
  streamsApp,
} from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
closeAppsAfterEach();
Logger.overrideLogger(recordedLog);

const GROUP = 'pricing';
const NO_HANDLER = 'There is no matching message handler defined in the remote service.';

const start = (
  controllers: Type[],
  options?: Partial<RedisStreamsModuleOptions>,
): Promise<StreamsApp> =>
  streamsApp({ connection: redis.url, group: GROUP, ...options }, { controllers });

const ask = (app: StreamsApp, pattern: unknown, data: unknown): Promise<unknown> =>
  lastValueFrom(app.client.send(pattern, data));

const failure = (asked: Promise<unknown>): Promise<unknown> =>
  asked.then(
    (value) => `no failure: ${String(value)}`,
    (error: unknown) => error,
  );

const caughtUp = (stream: string, group = GROUP): Promise<unknown> =>
  waitFor(() => isCaughtUp(redis.client, stream, group));

describe('the answering handler', () => {
  it('is the one for the name, else the one for the whole stream', async () => {
    const stream = freshName('quote');
    const app = await start([
      answeringController(stream, () => 'any'),
      answeringController({ stream, name: 'price' }, () => 'price'),
    ]);
    await expect(ask(app, { stream, name: 'price' }, 1)).resolves.toBe('price');
    await expect(ask(app, { stream, name: 'stock' }, 1)).resolves.toBe('any');
  });

  it("does not exist if no group has one: the caller gets Nest's error at once", async () => {
    const stream = freshName('quote');
    const app = await start([answeringController({ stream, name: 'price' }, () => 'price')], {
      unhandled: 'dead-letter',
    });
    await expect(failure(ask(app, { stream, name: 'stock' }, 1))).resolves.toBe(NO_HANDLER);
    await caughtUp(stream);
    expect(app.monitor.getStats().counts).toMatchObject({ unhandled: 1, deadLettered: 0 });
  });

  it('does not exist if there are only event handlers, and they do not get the request', async () => {
    const stream = freshName('quote');
    const events: unknown[] = [];
    const app = await start([handlerOf(stream, (data) => events.push(data))]);
    await expect(failure(ask(app, stream, 'request'))).resolves.toBe(NO_HANDLER);
    await caughtUp(stream);
    expect(events).toEqual([]);
  });

  it('is that of the group that has one, even if another group reports first that it has none', async () => {
    const stream = freshName('quote');
    const events = await start([handlerOf(stream, () => undefined)], { group: 'audit' });
    const app = await start([
      answeringController(stream, async () => {
        await waitFor(() => events.monitor.getStats().counts.unhandled === 1);
        await delay(50);
        return 'answer';
      }),
    ]);
    await expect(ask(app, stream, 'it')).resolves.toBe('answer');
  });

  it('is one of two groups that both have one: the first to answer', async () => {
    const stream = freshName('quote');
    const answers = (who: string) => () => concat(of(`${who} 1`), of(`${who} 2`));
    const first = await start([answeringController(stream, answers('first'))], { group: 'first' });
    await start([answeringController(stream, answers('second'))], { group: 'second' });
    const values = await lastValueFrom(first.client.send(stream, 'it').pipe(toArray()));
    expect([
      ['first 1', 'first 2'],
      ['second 1', 'second 2'],
    ]).toContainEqual(values);
    await Promise.all([caughtUp(stream, 'first'), caughtUp(stream, 'second')]);
  });

  it('is in one member of a group, and requests spread over its members', async () => {
    const stream = freshName('quote');
    const ran: string[] = [];
    const handler = (data: unknown, context: RedisStreamsContext): unknown => {
      ran.push(context.getConsumer());
      return delay(5, data);
    };
    const [app] = await Promise.all([
      start([answeringController(stream, handler, { batchSize: 1 })]),
      start([answeringController(stream, handler, { batchSize: 1 })]),
    ]);
    const asked = Array.from({ length: 60 }, (_, n) => ask(app, stream, n));
    await expect(Promise.all(asked)).resolves.toEqual([...Array(60).keys()]);
    expect(ran).toHaveLength(60);
    expect(new Set(ran).size).toBe(2);
  });
});

describe('a request that fails', () => {
  const failTwice = (stream: string, runs: number[], retry: object): Type =>
    answeringController(
      stream,
      (_, context) => {
        runs.push(context.getAttempt());
        if (runs.length < 3) throw new Error('not yet');
        return 'at last';
      },
      { retry },
    );

  it('is retried if its handler asks for that, and its caller waits', async () => {
    const stream = freshName('quote');
    const runs: number[] = [];
    const retry = { maxAttempts: 3, backoff: { delayMs: 1, jitter: 0 } };
    const app = await start([failTwice(stream, runs, retry)]);
    await expect(ask(app, stream, 'it')).resolves.toBe('at last');
    expect(runs).toEqual([1, 2, 3]);
  });

  it('reports the last error after its last attempt, and is no dead letter', async () => {
    const stream = freshName('quote');
    const runs: number[] = [];
    const retry = { maxAttempts: 2, backoff: { delayMs: 1, jitter: 0 } };
    const app = await start([failTwice(stream, runs, retry)]);
    await expect(failure(ask(app, stream, 'it'))).resolves.toEqual({
      status: 'error',
      message: 'Internal server error',
    });
    await caughtUp(stream);
    expect(runs).toEqual([1, 2]);
    await expect(app.app.get(DeadLetters).count({ stream })).resolves.toBe(0);
  });

  it('has a policy of its own: those of the server and of events are for events', async () => {
    const stream = freshName('quote');
    const runs = { events: 0, requests: 0 };
    const backoff = { delayMs: 1, jitter: 0 };
    const app = await start(
      [
        handlerOf(
          stream,
          () => {
            runs.events++;
            throw new Error('no');
          },
          { retry: { maxAttempts: 3, backoff } },
        ),
        answeringController(stream, () => {
          runs.requests++;
          throw new RpcException('no');
        }),
      ],
      { retry: { maxAttempts: 7, backoff } },
    );
    await app.emit(stream, 'event');
    await expect(failure(ask(app, stream, 'request'))).resolves.toMatchObject({ message: 'no' });
    await waitFor(() => app.monitor.getStats().counts.deadLettered === 1);
    await caughtUp(stream);
    expect(runs).toEqual({ events: 3, requests: 1 });
  });

  it('after some of its values, and is retried, breaks off: no value comes twice', async () => {
    const stream = freshName('quote');
    let runs = 0;
    const app = await start([
      answeringController(
        stream,
        () =>
          ++runs === 1
            ? concat(
                of(1, 2),
                throwError(() => new Error('no')),
              )
            : of(1, 2, 3),
        { retry: { maxAttempts: 2, backoff: { delayMs: 1, jitter: 0 } } },
      ),
    ]);
    const values: unknown[] = [];
    const asked = app.client.send(stream, 'it').pipe(tap((value) => values.push(value)));
    const error = await failure(lastValueFrom(asked));
    expect(error).toBeInstanceOf(ReplyInterruptedError);
    expect(error).toMatchObject({ code: 'REPLY_INTERRUPTED', stream });
    expect(values).toEqual([1, 2]);
  });

  it('with DeadLetterException sends an error to its caller, and is a dead letter that can be redriven', async () => {
    const stream = freshName('quote');
    const ran: unknown[] = [];
    const app = await start([
      answeringController(stream, (data) => {
        if (ran.push(data) === 1) throw new DeadLetterException('look at this');
        return 'fine';
      }),
    ]);
    await expect(failure(ask(app, stream, 'it'))).resolves.toMatchObject({
      message: 'look at this',
    });
    const letters = app.app.get(DeadLetters);
    await waitFor(async () => (await letters.count({ stream })) === 1);
    await letters.redrive({ stream });
    await waitFor(() => ran.length === 2);
    await waitFor(async () => (await letters.count({ stream })) === 0);
  });

  it('by hand sends its caller the reason that was given', async () => {
    const stream = freshName('quote');
    const app = await start([
      answeringController<string>(stream, (data, context) => {
        if (data === 'again') context.retry({ delayMs: 5 });
        else context.deadLetter('by hand');
      }),
    ]);
    await expect(failure(ask(app, stream, 'again'))).resolves.toMatchObject({ status: 'error' });
    await expect(failure(ask(app, stream, 'never'))).resolves.toMatchObject({ message: 'by hand' });
    await waitFor(async () => (await app.app.get(DeadLetters).count({ stream })) === 1);
  });

  it('because its handler took too long sends an error to its caller', async () => {
    const stream = freshName('quote');
    const app = await start([
      answeringController(stream, () => new Promise(() => undefined), { handlerTimeoutMs: 50 }),
    ]);
    const error = await failure(ask(app, stream, 'it'));
    expect(error).toMatchObject({ status: 'error', code: 'HANDLER_TIMEOUT' });
  });

  it('because a reply cannot be written sends an error to its caller', async () => {
    const stream = freshName('quote');
    const app = await start([answeringController(stream, () => ({ n: 1n }))]);
    const error = await failure(ask(app, stream, 'it'));
    expect(error).toMatchObject({ status: 'error', code: 'MESSAGE_NOT_ENCODABLE' });
    await caughtUp(stream);
  });

  it('with at-most-once sends its caller an error too, and is no dead letter', async () => {
    const stream = freshName('quote');
    const app = await start(
      [
        answeringController<string>(stream, (data) => {
          if (data === 'bad') throw new RpcException('bad');
          return data;
        }),
      ],
      { delivery: 'at-most-once' },
    );
    await expect(ask(app, stream, 'good')).resolves.toBe('good');
    await expect(failure(ask(app, stream, 'bad'))).resolves.toMatchObject({ message: 'bad' });
    await expect(app.app.get(DeadLetters).count({ stream })).resolves.toBe(0);
  });

  it.each([false, { windowMs: 60_000 }] as const)('with dedup %p is answered', async (dedup) => {
    const stream = freshName('quote');
    const app = await start([answeringController(stream, (data) => data)], { dedup });
    await expect(ask(app, stream, 'it')).resolves.toBe('it');
    await caughtUp(stream);
  });
});

describe('a message ID', () => {
  const withId = (id: string) => new RedisStreamsRecordBuilder('it').setMessageId(id).build();

  it('that was published already is an error at once', async () => {
    const stream = freshName('quote');
    let runs = 0;
    const app = await start([answeringController(stream, () => ++runs)]);
    await expect(ask(app, stream, withId('q-1'))).resolves.toBe(1);
    const error = await failure(ask(app, stream, withId('q-1')));
    expect(error).toBeInstanceOf(DuplicateRequestError);
    expect(error).toMatchObject({ code: 'DUPLICATE_REQUEST', stream, messageId: 'q-1' });
    expect(runs).toBe(1);
  });

  it('that was settled already is an error, even after the window of publishing', async () => {
    const stream = freshName('quote');
    let runs = 0;
    const app = await start([answeringController(stream, () => ++runs)], { publishDedup: false });
    await expect(ask(app, stream, withId('q-1'))).resolves.toBe(1);
    await caughtUp(stream);
    await expect(failure(ask(app, stream, withId('q-1')))).resolves.toEqual({
      status: 'error',
      message: 'A message with the ID of this request was settled before, so it is not run again',
    });
    expect(runs).toBe(1);
  });
});

describe('the fields of a request', () => {
  it('are available to its handler, without the internal ones', async () => {
    const stream = freshName('quote');
    let known: unknown;
    const app = await start([
      answeringController(stream, (_, context) => {
        known = [context.getMessageId(), context.getName(), context.getHeaders(), context.getKey()];
      }),
    ]);
    const record = new RedisStreamsRecordBuilder('it')
      .setMessageId('q-1')
      .setHeaders({ trace: '7' })
      .setKey('k')
      .build();
    await lastValueFrom(app.client.send(stream, record), { defaultValue: undefined });
    expect(known).toEqual(['q-1', stream, { trace: '7' }, 'k']);
  });

  it('are carried by WatermillCodec too, and replies are written with it', async () => {
    const stream = freshName('quote');
    let headers: unknown;
    const app = await start(
      [
        answeringController(stream, (data, context) => {
          headers = context.getHeaders();
          return data;
        }),
      ],
      {
        streams: {
          [stream]: { codec: new WatermillCodec({ uuidKey: '_natricine_message_uuid' }) },
        },
      },
    );
    const record = new RedisStreamsRecordBuilder({ n: 1 }).setHeaders({ trace: '7' }).build();
    await expect(ask(app, stream, record)).resolves.toEqual({ n: 1 });
    await expect(ask(app, stream, Buffer.from([0, 255]))).resolves.toEqual(Buffer.from([0, 255]));
    expect(headers).toEqual({});
  });

  it('do not fit into one field: FieldCodec is a clear error, and nothing is sent', async () => {
    const stream = freshName('quote');
    const app = await start([], {
      streams: { [stream]: { codec: new FieldCodec({ field: 'data' }) } },
    });
    const error = await failure(ask(app, stream, 'it'));
    expect(error).toBeInstanceOf(MessageEncodingError);
    expect(String(error)).toContain('FieldCodec');
    expect(await redis.client.xlen(stream)).toBe(0);
  });

  it('are validated: replies go to inboxes only', async () => {
    const [stream, other] = [freshName('quote'), freshName('other')];
    await redis.client.xadd(other, '*', 'a', '1');
    const app = await start([answeringController(stream, (data) => data)]);
    const fields = ['name', stream, 'body', '1', 'request-id', '1', 'request-timeout-ms', '1000'];
    await redis.client.xadd(stream, '*', ...fields, 'request-inbox', other);
    await waitFor(() => app.monitor.getStats().counts.deadLettered === 1);
    expect(await redis.client.xlen(other)).toBe(1);
  });
});

describe("Nest's ClientsModule and standalone client", () => {
  it('sends requests without a group of its own, and again after it was closed', async () => {
    const stream = freshName('quote');
    await start([answeringController(stream, (data) => data)]);
    const client = new ClientRedisStreams({ connection: redis.url });
    await expect(firstValueFrom(client.send(stream, 1))).resolves.toBe(1);
    await client.close();
    await expect(firstValueFrom(client.send(stream, 2))).resolves.toBe(2);
    await client.close();
  });
});

describe('options of answering handlers', () => {
  it('are those of their stream, and two different policies for requests are an error', async () => {
    const stream = freshName('quote');
    @Controller()
    class Both {
      @MessagePattern({ stream, name: 'a' }, subscription({ retry: { maxAttempts: 2 } }))
      a(): void {}
      @MessagePattern({ stream, name: 'b' }, subscription({ retry: { maxAttempts: 3 } }))
      b(): void {}
    }
    await expect(start([Both])).rejects.toThrow(InvalidOptionsError);
  });
});

describe('kill -9 of the answering member', () => {
  const LEASE_MS = 1_000;
  let compiled: CompiledPackage;
  beforeAll(async () => {
    compiled = await compiledPackage('test/support/programs');
  });
  afterEach(endChildPrograms);

  const answering = async (stream: string): Promise<ChildProgram> => {
    const path = 'test/support/programs/answering-killed.program.ts';
    const env = { REDIS_URL: redis.url, STREAM: stream, LEASE_MS: String(LEASE_MS) };
    const program = childProgram(compiled.program(path), { env });
    await waitFor(() => program.output().includes('listening'));
    return program;
  };
  const recovery = { minIdleMs: LEASE_MS, intervalMs: 100 };

  it('is reported to the caller: another member does not run it again unasked', async () => {
    const stream = freshName('quote');
    const program = await answering(stream);
    const client = new ClientRedisStreams({ connection: redis.url });
    const asked = failure(lastValueFrom(client.send(stream, 'it')));
    await waitFor(() => program.output().includes('running'));
    program.kill('SIGKILL');
    let runs = 0;
    const app = await start([answeringController(stream, () => ++runs)], { recovery });
    expect(await asked).toMatchObject({ status: 'error' });
    await caughtUp(stream);
    expect(runs).toBe(0);
    expect(app.monitor.getStats().counts.deadLettered).toBe(0);
    await client.close();
  });

  it('lets another member answer if a retry was asked for', async () => {
    const stream = freshName('quote');
    const program = await answering(stream);
    const client = new ClientRedisStreams({ connection: redis.url });
    const asked = lastValueFrom(client.send(stream, 'it'));
    await waitFor(() => program.output().includes('running'));
    program.kill('SIGKILL');
    const retry = { maxAttempts: 2 };
    await start([answeringController(stream, (_, context) => context.getAttempt(), { retry })], {
      recovery,
    });
    await expect(asked).resolves.toBe(2);
    await client.close();
  });

  it('after some values breaks off when another member starts again', async () => {
    const stream = freshName('quote');
    const program = await answering(stream);
    const client = new ClientRedisStreams({ connection: redis.url });
    const values: unknown[] = [];
    const asked = failure(
      lastValueFrom(client.send(stream, 'two values').pipe(tap((value) => values.push(value)))),
    );
    await waitFor(() => values.length === 2);
    program.kill('SIGKILL');
    const retry = { maxAttempts: 2 };
    await start([answeringController(stream, () => of(1, 2, 3), { retry })], { recovery });
    expect(await asked).toBeInstanceOf(ReplyInterruptedError);
    expect(values).toEqual([1, 2]);
    await client.close();
  });
});
