import { describe, expect, it } from '@jest/globals';
import type { Type } from '@nestjs/common';
import { RpcException } from '@nestjs/microservices';
import { concat, EMPTY, from, lastValueFrom, of, tap, throwError, toArray } from 'rxjs';

import type { RedisStreamsModuleOptions } from '../../lib/index.js';
import { answeringController } from '../support/answering-controller.js';
import { freshName } from '../support/fresh-name.js';
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

const start = (
  controllers: Type[],
  options?: Partial<RedisStreamsModuleOptions>,
): Promise<StreamsApp> =>
  streamsApp({ connection: redis.url, group: 'pricing', ...options }, { controllers });

const ask = (app: StreamsApp, pattern: unknown, data: unknown): Promise<unknown> =>
  lastValueFrom(app.client.send(pattern, data));

describe('a reply', () => {
  it('is what the handler returns', async () => {
    const stream = freshName('quote');
    const app = await start([answeringController<number>(stream, (n) => ({ price: n * 2 }))]);
    await expect(ask(app, stream, 21)).resolves.toEqual({ price: 42 });
  });

  it('is the value with which its promise resolves', async () => {
    const stream = freshName('quote');
    const app = await start([answeringController<number>(stream, async (n) => n + 1)]);
    await expect(ask(app, stream, 1)).resolves.toBe(2);
  });

  it('is each value of its Observable, in order', async () => {
    const stream = freshName('quote');
    const app = await start([answeringController<number>(stream, (n) => from(Array(n).keys()))]);
    const values = lastValueFrom(app.client.send(stream, 1_000).pipe(toArray()));
    await expect(values).resolves.toEqual([...Array(1_000).keys()]);
  });

  it.each<[string, unknown]>([
    ['null', null],
    ['false', false],
    ['0', 0],
    ['an empty text', ''],
    ['bytes', Buffer.from([0, 255, 10])],
    ['a list', [1, [2]]],
  ])('can be %s', async (_, value) => {
    const stream = freshName('quote');
    const app = await start([answeringController(stream, () => value)]);
    await expect(ask(app, stream, 'it')).resolves.toEqual(value);
  });

  it.each([
    ['undefined', () => undefined],
    ['an Observable without values', () => EMPTY],
  ])('that is %s is an end without a value', async (_, handle) => {
    const stream = freshName('quote');
    const app = await start([answeringController(stream, handle)]);
    const values = lastValueFrom(app.client.send(stream, 'it').pipe(toArray()));
    await expect(values).resolves.toEqual([]);
  });

  it('arrives after its request was acknowledged, or shortly before', async () => {
    const stream = freshName('quote');
    const app = await start([answeringController(stream, () => 1)]);
    await ask(app, stream, 'it');
    await waitFor(async () => (await redis.client.xpending(stream, 'pricing'))[0] === 0);
    expect(app.monitor.getStats().counts).toMatchObject({ handled: 1, failed: 0 });
  });
});

describe('a failure', () => {
  it.each<[string, () => unknown, unknown]>([
    [
      'an RpcException with a text',
      () => new RpcException('no'),
      { status: 'error', message: 'no' },
    ],
    ['an RpcException with an object', () => new RpcException({ code: 7 }), { code: 7 }],
    [
      'any other error',
      () => new TypeError('secret'),
      { status: 'error', message: 'Internal server error' },
    ],
  ])('is reported as Nest does: %s', async (_, error, reported) => {
    const stream = freshName('quote');
    const app = await start([
      answeringController(stream, () => {
        throw error();
      }),
    ]);
    await expect(ask(app, stream, 'it')).rejects.toEqual(reported);
  });

  it('of an Observable comes after its values', async () => {
    const stream = freshName('quote');
    const app = await start([
      answeringController(stream, () =>
        concat(
          of(1, 2),
          throwError(() => new RpcException('enough')),
        ),
      ),
    ]);
    const values: unknown[] = [];
    const asked = app.client.send(stream, 'it').pipe(tap((value) => values.push(value)));
    await expect(lastValueFrom(asked)).rejects.toEqual({ status: 'error', message: 'enough' });
    expect(values).toEqual([1, 2]);
  });

  it('is not retried, and is no dead letter', async () => {
    const stream = freshName('quote');
    let runs = 0;
    const app = await start([
      answeringController(stream, () => {
        runs++;
        throw new RpcException('no');
      }),
    ]);
    await expect(ask(app, stream, 'it')).rejects.toEqual({ status: 'error', message: 'no' });
    await waitFor(async () => (await redis.client.xpending(stream, 'pricing'))[0] === 0);
    expect(runs).toBe(1);
    const { counts } = app.monitor.getStats();
    expect(counts).toMatchObject({ handled: 0, failed: 1, retried: 0, deadLettered: 0 });
  });
});

describe('events and requests of one stream', () => {
  it('go to their own handlers', async () => {
    const stream = freshName('quote');
    const events: unknown[] = [];
    const app = await start([
      handlerOf(stream, (data) => events.push(data)),
      answeringController(stream, (data) => `answer to ${String(data)}`),
    ]);
    await expect(ask(app, stream, 'request')).resolves.toBe('answer to request');
    await app.emit(stream, 'event');
    await waitFor(() => events.length === 1);
    expect(events).toEqual(['event']);
  });
});
