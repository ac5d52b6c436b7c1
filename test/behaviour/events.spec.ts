import { AsyncLocalStorage } from 'node:async_hooks';
import { afterEach, describe, expect, it } from '@jest/globals';
import { firstValueFrom } from 'rxjs';

import {
  type AroundOperation,
  ClientRedisStreams,
  onStreamsEvent,
  onStreamsOperation,
  type PublishOperation,
  type RedisStreamsChannels,
  type RedisStreamsContext,
  RedisStreamsRecordBuilder,
  streamsOperations,
} from '../../lib/index.js';
import { childProgram, endChildPrograms } from '../support/child-program.js';
import { compiledPackage } from '../support/compiled-package.js';
import { freshName } from '../support/fresh-name.js';
import { addEntries, isCaughtUp } from '../support/group-state.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach, handlerOf, streamsApp } from '../support/streams-app.js';
import { tcpProxy } from '../support/tcp-proxy.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
closeAppsAfterEach();
afterEach(endChildPrograms);

const GROUP = 'billing';
const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

/** The events of one stream on a channel, from now on. */
function recordEvents<Name extends keyof RedisStreamsChannels>(
  name: Name,
  stream?: string,
): RedisStreamsChannels[Name][] {
  const events: RedisStreamsChannels[Name][] = [];
  ends.push(
    onStreamsEvent(name, (event) => {
      if (stream === undefined || ('stream' in event && event.stream === stream)) {
        events.push(event);
      }
    }),
  );
  return events;
}

describe('a subscriber that encloses runs of handlers', () => {
  it.each([
    [
      'throws',
      () => {
        throw new Error('bug in the subscriber');
      },
    ],
    ['rejects', () => Promise.reject(new Error('bug in the subscriber'))],
    ['does not call run', () => Promise.resolve()],
  ])('makes the message fail if it %s, and the next one runs', async (_, enclose) => {
    const stream = freshName('orders');
    const dead = recordEvents('nestjs-redis-streams:message:dead-lettered', stream);
    const ran: unknown[] = [];
    let isFaulty = true;
    ends.push(
      onStreamsOperation('nestjs-redis-streams:handle', {
        start: ({ around, stream: its }) => {
          if (its === stream && isFaulty) around.push(enclose as AroundOperation);
          isFaulty = false;
        },
      }),
    );
    const app = await streamsApp(
      { connection: redis.url, group: GROUP, retry: { maxAttempts: 1 } },
      { controllers: [handlerOf(stream, (payload) => void ran.push(payload))] },
    );
    await app.emit(stream, 1);
    await app.emit(stream, 2);
    await waitFor(() => dead.length === 1 && ran.length === 1);
    expect(ran).toEqual([2]);
    await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
  });
});

describe('events', () => {
  it('report a message from publishing to its end, with IDs and durations, and without its payload', async () => {
    const stream = freshName('orders');
    const published = recordEvents('nestjs-redis-streams:message:published', stream);
    const received = recordEvents('nestjs-redis-streams:message:received', stream);
    const handled = recordEvents('nestjs-redis-streams:message:handled', stream);
    const app = await streamsApp(
      { connection: redis.url, group: GROUP },
      { controllers: [handlerOf({ stream, name: 'order.created' }, () => undefined)] },
    );
    const { entryId } = await app.emit(
      { stream, name: 'order.created' },
      new RedisStreamsRecordBuilder({ secret: 'kept' }).setMessageId('o-1').build(),
    );
    await waitFor(() => handled.length === 1);
    const { group, consumer } = app.server.options;
    const message = { stream, entryId, messageId: 'o-1', name: 'order.created' };
    expect(published).toEqual([{ ...message, duplicate: false, durationMs: expect.any(Number) }]);
    expect(received).toEqual([{ ...message, group, consumer }]);
    expect(handled).toEqual([
      {
        ...message,
        group,
        consumer,
        attempt: 1,
        durationMs: expect.any(Number),
        waitedMs: expect.any(Number),
      },
    ]);
    expect(JSON.stringify([published, received, handled])).not.toContain('kept');
  });

  it('report each failure, its outcome, and the error that was thrown', async () => {
    const stream = freshName('orders');
    const failed = recordEvents('nestjs-redis-streams:message:failed', stream);
    const retried = recordEvents('nestjs-redis-streams:message:retried', stream);
    const dead = recordEvents('nestjs-redis-streams:message:dead-lettered', stream);
    const error = new TypeError('no such customer');
    await streamsApp(
      {
        connection: redis.url,
        group: GROUP,
        retry: { maxAttempts: 2, backoff: { type: 'fixed', delayMs: 1, jitter: 0 } },
      },
      {
        controllers: [
          handlerOf(stream, () => {
            throw error;
          }),
        ],
      },
    );
    const [entryId] = await addEntries(redis.client, stream, [{ n: 1 }], 'o-1');
    await waitFor(() => dead.length === 1);
    const message = expect.objectContaining({ stream, group: GROUP, entryId, messageId: 'o-1' });
    expect([...failed, ...retried, ...dead]).toEqual([message, message, message, message]);
    expect(failed).toMatchObject([
      { attempt: 1, error, closing: false },
      { attempt: 2, error, closing: false },
    ]);
    expect(retried).toMatchObject([{ attempt: 1, delayMs: 1, error }]);
    expect(dead).toMatchObject([{ attempts: 2, error, reason: expect.any(String) }]);
  });

  it('report what is not run: duplicates, unhandled names, deleted entries and unreadable ones', async () => {
    const stream = freshName('orders');
    const duplicate = recordEvents('nestjs-redis-streams:message:duplicate', stream);
    const unhandled = recordEvents('nestjs-redis-streams:message:unhandled', stream);
    const lost = recordEvents('nestjs-redis-streams:message:lost', stream);
    const dead = recordEvents('nestjs-redis-streams:message:dead-lettered', stream);
    const consumer = freshName('consumer');
    await redis.client.xgroup('CREATE', stream, GROUP, '0', 'MKSTREAM');
    const [gone] = await addEntries(redis.client, stream, [{ n: 1 }]);
    // It is pending for the consumer of this name, which has not started yet.
    await redis.client.xreadgroup('GROUP', GROUP, consumer, 'STREAMS', stream, '>');
    await redis.client.xdel(stream, gone ?? '');
    await streamsApp(
      { connection: redis.url, group: GROUP, consumer },
      { controllers: [handlerOf({ stream, name: stream }, () => undefined)] },
    );
    const other = await redis.client.xadd(stream, '*', 'name', 'other', 'body', '1');
    const unreadable = await redis.client.xadd(stream, '*', 'nothing', 'known');
    await addEntries(redis.client, stream, [1], 'twice');
    const [second] = await addEntries(redis.client, stream, [1], 'twice');
    await waitFor(() => duplicate.length * unhandled.length * lost.length * dead.length === 1);
    expect(lost).toMatchObject([{ entryId: gone, messageId: undefined, why: 'deleted', consumer }]);
    expect(unhandled).toMatchObject([{ entryId: other, name: 'other', attempt: 1 }]);
    expect(dead).toMatchObject([{ entryId: unreadable, name: undefined, attempts: 0 }]);
    expect(duplicate).toMatchObject([{ entryId: second, messageId: 'twice' }]);
  });

  it('report a message that could not be published, and whether it may have arrived', async () => {
    const stream = freshName('orders');
    const failed = recordEvents('nestjs-redis-streams:message:publish-failed', stream);
    await redis.client.set(stream, 'no stream');
    const client = new ClientRedisStreams({ connection: redis.url });
    const record = new RedisStreamsRecordBuilder(1).setMessageId('o-1').build();
    await expect(firstValueFrom(client.emit(stream, record))).rejects.toThrow('WRONGTYPE');
    await expect(firstValueFrom(client.emitBatch(stream, [record, 2]))).rejects.toThrow(
      'not confirmed',
    );
    expect(failed).toMatchObject([
      { messageId: 'o-1', ambiguous: false, error: { code: 'PUBLISH_FAILED' } },
      { messageId: 'o-1', ambiguous: false, error: { code: 'PUBLISH_BATCH_FAILED' } },
      { ambiguous: false, error: { code: 'PUBLISH_BATCH_FAILED' } },
    ]);
    await client.close();
  });

  it('report lost connections, with their role', async () => {
    const reconnecting = recordEvents('nestjs-redis-streams:connection:reconnecting');
    const stream = freshName('orders');
    const proxy = await tcpProxy(redis.url);
    const app = await streamsApp(
      { connection: proxy.url, group: GROUP },
      { controllers: [handlerOf(stream, () => undefined)] },
    );
    await app.emit(stream, 1);
    proxy.resetAll();
    await waitFor(() => reconnecting.length >= 3);
    expect(new Set(reconnecting.map(({ connection }) => connection))).toEqual(
      new Set(['commands', 'blocking', 'client']),
    );
    await app.close();
    await proxy.close();
  });

  it.each([
    [
      'a listener',
      {},
      'A listener of nestjs-redis-streams:message:received failed: in the listener',
    ],
    [
      'the logger',
      { LOGGER: 'fails' },
      'The logger of the app failed (in the logger) for this line',
    ],
  ])('and messages go on if %s fails, and the process says so', async (_, env, said) => {
    const stream = freshName('orders');
    const compiled = await compiledPackage('test/support/programs');
    const program = childProgram(
      compiled.program('test/support/programs/throwing-listener.program.ts'),
      { env: { REDIS_URL: redis.url, STREAM: stream, ...env } },
    );
    await addEntries(redis.client, stream, [0, 1, 2]);
    await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
    await addEntries(redis.client, stream, [3]);
    await waitFor(() => program.output().includes('handled 3'));
    expect(program.output().match(/handled \d/g)).toEqual(['handled 0', 'handled 2', 'handled 3']);
    const letters = await redis.client.xrange(
      `stream:{${stream}}:group:${GROUP}:dead-letters`,
      '-',
      '+',
    );
    expect(letters).toHaveLength(1);
    expect(program.output()).toContain(said);
    expect(program.output()).toContain(
      'failed: in the listener of handled. No message is affected',
    );
    expect(program.output()).toContain('failed: in the start of handle. No message is affected');
    program.kill('SIGTERM');
    expect(await program.ended).toBe('SIGTERM');
  });
});

describe('operations', () => {
  it('let a subscriber set headers before a message is encoded, alone and in a batch', async () => {
    const stream = freshName('orders');
    const seen: PublishOperation[] = [];
    ends.push(
      onStreamsOperation('nestjs-redis-streams:publish', {
        start: (operation) => {
          if (operation.stream !== stream) return;
          seen.push(operation);
          for (const { headers, messageId } of operation.messages) {
            headers['traceparent'] = `00-${messageId}`;
          }
        },
      }),
    );
    const headers: unknown[] = [];
    const app = await streamsApp(
      { connection: redis.url, group: GROUP },
      {
        controllers: [
          handlerOf(stream, (_, context: RedisStreamsContext) => {
            headers.push(context.getHeaders());
          }),
        ],
      },
    );
    const record = (id: string) =>
      new RedisStreamsRecordBuilder(1).setMessageId(id).setHeaders({ own: 'kept' }).build();
    await app.emit(stream, record('a'));
    await firstValueFrom(app.client.emitBatch(stream, [record('b'), record('c')]));
    await waitFor(() => headers.length === 3);
    expect(headers).toEqual(
      ['a', 'b', 'c'].map((id) => ({ own: 'kept', traceparent: `00-${id}` })),
    );
    expect(seen.map(({ isBatch, messages }) => [isBatch, messages.length])).toEqual([
      [false, 1],
      [true, 2],
    ]);
  });

  it('report the first item of a batch that cannot be encoded, with or without a subscriber', async () => {
    const stream = freshName('orders');
    recordEvents('nestjs-redis-streams:message:published', stream);
    const client = new ClientRedisStreams({ connection: redis.url });
    const badName = new RedisStreamsRecordBuilder(1).setName('').build();
    const batch = (...items: unknown[]): Promise<unknown> =>
      firstValueFrom(client.emitBatch(stream, items));
    await expect(batch(1, new Map(), badName)).rejects.toMatchObject({ index: 1 });
    await expect(batch(1, badName, new Map())).rejects.toMatchObject({ index: 1 });
    await expect(batch(1, badName, null)).rejects.toMatchObject({ index: 1 });
    await client.close();
  });

  it('bind a store to the run of each handler, and to nothing else', async () => {
    const stream = freshName('orders');
    const store = new AsyncLocalStorage<string>();
    const { start } = streamsOperations('nestjs-redis-streams:handle');
    start.bindStore(store, ({ messageId }) => messageId);
    ends.push(() => void start.unbindStore(store));
    const seen: unknown[] = [];
    const app = await streamsApp(
      { connection: redis.url, group: GROUP, concurrency: 3 },
      {
        controllers: [
          handlerOf(stream, async (_, context: RedisStreamsContext) => {
            await new Promise(setImmediate);
            seen.push([context.getMessageId(), store.getStore()]);
          }),
        ],
      },
    );
    const ids = ['a', 'b', 'c', 'd', 'e'];
    for (const id of ids) {
      await app.emit(stream, new RedisStreamsRecordBuilder(1).setMessageId(id).build());
    }
    await waitFor(() => seen.length === 5);
    expect(seen).toEqual(expect.arrayContaining(ids.map((id) => [id, id])));
    expect(store.getStore()).toBeUndefined();
  });

  it('run an operation inside what its subscribers put around it, the first one outermost', async () => {
    const stream = freshName('orders');
    const order: string[] = [];
    const enclose = (who: string): void => {
      ends.push(
        onStreamsOperation('nestjs-redis-streams:handle', {
          start: ({ stream: handledStream, around }) => {
            if (handledStream !== stream) return;
            around.push(async (run) => {
              order.push(`${who} begins`);
              return run().finally(() => order.push(`${who} ends`));
            });
          },
        }),
      );
    };
    enclose('a');
    enclose('b');
    const app = await streamsApp(
      { connection: redis.url, group: GROUP },
      { controllers: [handlerOf(stream, () => void order.push('handled'))] },
    );
    await app.emit(stream, 1);
    await waitFor(() => order.length === 5);
    expect(order).toEqual(['a begins', 'b begins', 'handled', 'b ends', 'a ends']);
  });

  it('follow a run to its end, with its error, and then the recording of its outcome', async () => {
    const stream = freshName('orders');
    const runs: unknown[] = [];
    const steps: unknown[] = [];
    ends.push(
      onStreamsOperation('nestjs-redis-streams:handle', {
        asyncEnd: (operation) => {
          if (operation.stream === stream)
            runs.push([operation.attempt, operation.headers, operation.error ?? operation.result]);
        },
      }),
      onStreamsOperation('nestjs-redis-streams:settle', {
        asyncEnd: (operation) => {
          if (operation.stream === stream) steps.push([operation.step, operation.messages]);
        },
      }),
    );
    const error = new Error('once');
    const app = await streamsApp(
      {
        connection: redis.url,
        group: GROUP,
        retry: { backoff: { type: 'fixed', delayMs: 1, jitter: 0 } },
      },
      {
        controllers: [
          handlerOf(stream, (_, context) => {
            if (context.getAttempt() === 1) throw error;
          }),
        ],
      },
    );
    const { entryId } = await app.emit(
      stream,
      new RedisStreamsRecordBuilder(1).setMessageId('o-1').setHeaders({ a: 'b' }).build(),
    );
    await waitFor(() => steps.length === 2);
    expect(runs).toEqual([
      [1, { a: 'b' }, error],
      [2, { a: 'b' }, 'handled'],
    ]);
    const messages = [{ entryId, messageId: 'o-1', name: stream, headers: { a: 'b' } }];
    expect(steps).toEqual([
      ['retry', messages],
      ['commit', messages],
    ]);
  });

  it('end the run of a handler that timed out, with the timeout error', async () => {
    const stream = freshName('orders');
    const errors: unknown[] = [];
    ends.push(
      onStreamsOperation('nestjs-redis-streams:handle', {
        asyncEnd: (operation) => {
          if (operation.stream === stream) errors.push(operation.error);
        },
      }),
    );
    const app = await streamsApp(
      { connection: redis.url, group: GROUP, handlerTimeoutMs: 20, retry: { maxAttempts: 1 } },
      { controllers: [handlerOf(stream, () => new Promise(() => undefined))] },
    );
    await app.emit(stream, 1);
    await waitFor(() => errors.length === 1);
    expect(errors).toMatchObject([{ code: 'HANDLER_TIMEOUT' }]);
  });
});
