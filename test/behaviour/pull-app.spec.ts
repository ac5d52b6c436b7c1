import { describe, expect, it } from '@jest/globals';
import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { firstValueFrom } from 'rxjs';
import { z } from 'zod';

import {
  ClientRedisStreams,
  LedgerMaintenanceJob,
  onStreamsEvent,
  RedisStreamsModule,
  RedisStreamsPull,
} from '../../lib/index.js';
import { RedisStreamsTesting } from '../../lib/testing/index.js';
import { clientsForTests } from '../support/clients-for-tests.js';
import { freshName, freshPrefix } from '../support/fresh-name.js';
import { addEntries, isCaughtUp, pendingEntries } from '../support/group-state.js';
import { GROUP, nextOf, pullsForTests } from '../support/pulls.js';
import { logged } from '../support/recorded-log.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach, handlerOf, moduleOf, streamsApp } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
const pullWith = pullsForTests(redis);
const { clientFor } = clientsForTests(redis);
closeAppsAfterEach();

interface Order {
  readonly n: number;
}

/** A worker without handlers, as an app would write it. */
@Injectable()
class Worker implements OnApplicationBootstrap, OnModuleDestroy {
  static stream = '';
  readonly seen: number[] = [];
  isDestroyed = false;
  wasDestroyedFirst = false;
  done: Promise<void> | undefined;
  holds: Promise<void> | undefined;

  constructor(private readonly pull: RedisStreamsPull<Record<string, Order>>) {}

  onApplicationBootstrap(): void {
    this.done = this.work();
  }

  onModuleDestroy(): void {
    this.isDestroyed = true;
  }

  private async work(): Promise<void> {
    for await (const message of this.pull.from(Worker.stream)) {
      await this.holds;
      this.wasDestroyedFirst ||= this.isDestroyed;
      this.seen.push(message.payload.n);
      await message.ack();
    }
  }
}

describe('RedisStreamsPull in an app', () => {
  it('is injected, works without handlers, and ends before the app’s providers are destroyed', async () => {
    Worker.stream = freshName('orders');
    const options = { connection: redis.url, group: GROUP, startFrom: 'beginning' } as const;
    const module = moduleOf([RedisStreamsModule.forRoot(options)], { providers: [Worker] });
    const app = await NestFactory.createApplicationContext(module, { logger: false });
    const worker = app.get(Worker);
    const client = app.get(ClientRedisStreams);
    await firstValueFrom(client.emit(Worker.stream, { n: 1 }));
    await waitFor(() => worker.seen.length === 1);
    let release = (): void => undefined;
    worker.holds = new Promise((resolve) => (release = resolve));
    await firstValueFrom(client.emit(Worker.stream, { n: 2 }));
    await waitFor(
      async () => (await pendingEntries(redis.client, Worker.stream, GROUP)).length > 0,
    );
    // The jobs look after a stream that is pulled.
    const processed = `stream:{${Worker.stream}}:group:${GROUP}:processed`;
    await redis.client.zadd(processed, 1, 'long-ago');
    expect(await app.get(LedgerMaintenanceJob).run()).toEqual({ removed: 1 });

    const closed = app.close();
    setImmediate(release);
    await closed;
    await worker.done;
    expect(worker.seen).toEqual([1, 2]);
    expect(worker.wasDestroyedFirst).toBe(false);
    expect(await isCaughtUp(redis.client, Worker.stream, GROUP)).toBe(true);
    expect(await redis.client.zcard(processed)).toBe(2);
    expect(() => app.get(RedisStreamsPull).from('orders')).toThrow('closed');
  });

  it.each(['handlers', 'loop'] as const)(
    'shares a stream with handlers of the same app, and the log says so (%s first)',
    async (first) => {
      const stream = freshName('orders');
      const handled: unknown[] = [];
      const options = { connection: redis.url, group: GROUP, batchSize: 1 };
      const controller = handlerOf(stream, (data) => {
        handled.push(data);
        return new Promise((resolve) => setTimeout(resolve, 5));
      });
      const pulled: unknown[] = [];
      const take = async (pull: RedisStreamsPull): Promise<void> => {
        for await (const message of pull.from(stream)) {
          pulled.push(message.payload);
          await message.ack();
        }
      };
      let done: Promise<void> | undefined;
      const { app, server } = await streamsApp(options, {
        controllers: [controller],
        before: (created) => {
          if (first === 'loop') done = take(created.get(RedisStreamsPull));
        },
      });
      done ??= take(app.get(RedisStreamsPull));
      const members = `stream:{${stream}}:group:${GROUP}:members`;
      await waitFor(async () => (await redis.client.zcard(members)) === 2);
      expect(await redis.client.zscore(members, server.options.consumer)).not.toBeNull();
      const all = Array.from({ length: 100 }, (_, n) => ({ n }));
      await addEntries(redis.client, stream, all);
      await waitFor(() => handled.length + pulled.length === 100);
      await waitFor(() => logged('warn', stream).some((line) => line.includes('RedisStreamsPull')));
      await app.close();
      await done;
      expect([...handled, ...pulled]).toEqual(expect.arrayContaining(all));
      expect(await isCaughtUp(redis.client, stream, GROUP)).toBe(true);
    },
  );

  it('gets no requests: their callers are told at once that the group has no handler', async () => {
    const stream = freshName('quotes');
    const messages = pullWith().from<Order>(stream);
    const asked = messages.next();
    await waitFor(async () => (await redis.client.exists(stream)) === 1);
    const client = clientFor();
    await expect(firstValueFrom(client.send(stream, { n: 1 }))).rejects.toContain('handler');
    await firstValueFrom(client.emit(stream, { n: 2 }));
    const { value } = await asked;
    expect(value?.payload).toEqual({ n: 2 });
    await value?.ack();
    await messages.return();
    expect(logged('warn', stream).filter((line) => line.includes('requests'))).toHaveLength(1);
    expect(await isCaughtUp(redis.client, stream, GROUP)).toBe(true);
  });

  it('gives the loop the output of the stream’s schema, and nothing that does not fit', async () => {
    const stream = freshName('orders');
    const schema = z.object({ n: z.number(), item: z.string().default('cup') });
    await addEntries(redis.client, stream, [{ n: 'one' }, { n: 2 }]);
    const pull = pullWith({ streams: { [stream]: { schema } } });
    const seen: unknown[] = [];
    for await (const message of pull.from(stream, { untilEmpty: true })) {
      seen.push(message.payload);
      await message.ack();
    }
    expect(seen).toEqual([{ n: 2, item: 'cup' }]);
    expect(await redis.client.xlen(`stream:{${stream}}:group:${GROUP}:dead-letters`)).toBe(1);
  });

  it('announces what becomes of its messages', async () => {
    const stream = freshName('orders');
    const attempts: number[] = [];
    const stop = onStreamsEvent('nestjs-redis-streams:message:handled', (event) => {
      if (event.stream === stream) attempts.push(event.attempt);
    });
    await addEntries(redis.client, stream, [{ n: 1 }]);
    const messages = pullWith().from(stream);
    await (await nextOf(messages)).ack();
    await messages.return();
    stop();
    expect(attempts).toEqual([1]);
  });

  it('is seen by RedisStreamsTesting', async () => {
    Worker.stream = 'orders';
    const module = RedisStreamsModule.forRoot({ group: GROUP, keyPrefix: freshPrefix() });
    const streams = await RedisStreamsTesting.create(
      { imports: [module], providers: [Worker] },
      { connection: redis.url, options: { startFrom: 'beginning' }, logger: false },
    );
    const receipt = await streams.emit('orders', { n: 7 });
    await streams.handled(receipt);
    await streams.drained();
    expect((await streams.historyOf(receipt)).state).toMatchObject({ kind: 'handled' });
    expect(streams.get(Worker).seen).toEqual([7]);
    await streams.close();
  });
});
