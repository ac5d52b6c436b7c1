import { afterEach, describe, expect, it } from '@jest/globals';
import { Logger, type Type } from '@nestjs/common';
import { finalize, interval, lastValueFrom, NEVER, Observable, of, take, toArray } from 'rxjs';

import {
  ClientRedisStreams,
  ConnectionClosedError,
  PublishError,
  RedisStreamsContext,
  RequestAbandonedError,
  type RedisStreamsModuleOptions,
  RequestTimeoutError,
} from '../../lib/index.js';
import { answeringController } from '../support/answering-controller.js';
import { msOf } from '../support/delayed-messages.js';
import { freshName } from '../support/fresh-name.js';
import { isCaughtUp } from '../support/group-state.js';
import { recordedLog } from '../support/recorded-log.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach, type StreamsApp, streamsApp } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
closeAppsAfterEach();
Logger.overrideLogger(recordedLog);

const GROUP = 'pricing';
const clients = new Set<ClientRedisStreams>();
afterEach(async () => {
  await Promise.all([...clients].map((client) => client.close()));
  clients.clear();
});

function clientFor(
  options: ConstructorParameters<typeof ClientRedisStreams>[0] = {},
): ClientRedisStreams {
  const client = new ClientRedisStreams({ connection: redis.url, ...options });
  clients.add(client);
  return client;
}

/** A client that has sent a request before, so that its connections are open. */
async function connected(options: { requestTimeoutMs: number }): Promise<ClientRedisStreams> {
  const client = clientFor(options);
  const stream = freshName('hello');
  client.send(stream, 'hello').subscribe({ error: () => undefined });
  await waitFor(async () => (await redis.client.xlen(stream)) === 1 || waitingIn(client) === 0);
  return client;
}

const start = (
  controllers: Type[],
  options?: Partial<RedisStreamsModuleOptions>,
): Promise<StreamsApp> =>
  streamsApp({ connection: redis.url, group: GROUP, ...options }, { controllers });

/** What a client stores about waiting requests. */
function waitingIn(client: ClientRedisStreams): number {
  const { opened } = client as unknown as {
    opened: { requests: { pending: Map<string, unknown> } };
  };
  return opened.requests.pending.size;
}

describe('a request without a reply', () => {
  it('ends with RequestTimeoutError after requestTimeoutMs', async () => {
    const stream = freshName('quote');
    const client = await connected({ requestTimeoutMs: 200 });
    const failure = await lastValueFrom(client.send(stream, 'it')).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(RequestTimeoutError);
    expect(failure).toMatchObject({ code: 'REQUEST_TIMEOUT', stream, timeoutMs: 200 });
    const [[, fields]] = (await redis.client.xrange(stream, '-', '+')) as [[string, string[]]];
    expect((failure as RequestTimeoutError).messageId).toBe(fields[fields.indexOf('id') + 1]);
    expect(waitingIn(client)).toBe(0);
  });

  it('is not run once it has expired, and is no dead letter', async () => {
    const stream = freshName('quote');
    const client = await connected({ requestTimeoutMs: 200 });
    await redis.client.xgroup('CREATE', stream, GROUP, '$', 'MKSTREAM');
    await expect(lastValueFrom(client.send(stream, 'it'))).rejects.toThrow(RequestTimeoutError);
    let runs = 0;
    const app = await start([answeringController(stream, () => runs++)]);
    await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
    expect(runs).toBe(0);
    const { counts } = app.monitor.getStats();
    expect(counts).toMatchObject({ abandoned: 1, handled: 0, failed: 0, deadLettered: 0 });
  });

  it("is measured by Redis's clock: one that waited behind a slow one is not run either", async () => {
    const stream = freshName('quote');
    const ran: unknown[] = [];
    let release = (): void => undefined;
    const wait = new Promise<void>((resolve) => (release = resolve));
    const app = await start([
      answeringController(stream, async (data) => {
        ran.push(data);
        if (data === 'slow') await wait;
        return data;
      }),
    ]);
    const slow = lastValueFrom(app.client.send(stream, 'slow'));
    await waitFor(() => ran.length === 1);
    const hasty = await connected({ requestTimeoutMs: 200 });
    await expect(lastValueFrom(hasty.send(stream, 'hasty'))).rejects.toThrow(RequestTimeoutError);
    // For Redis its time began a little later.
    const [asked] = await redis.client.xrevrange(stream, '+', '-', 'COUNT', 1);
    await waitFor(
      async () => Number((await redis.client.time())[0]) * 1000 > msOf(asked?.[0]) + 200,
    );
    release();
    await expect(slow).resolves.toBe('slow');
    await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
    expect(ran).toEqual(['slow']);
  });

  it('has its signal aborted, and its late reply is dropped', async () => {
    const stream = freshName('quote');
    let reason: unknown;
    await start([
      answeringController(stream, async (_, context: RedisStreamsContext) => {
        const signal = context.getSignal();
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        reason = signal.reason;
        return 'late';
      }),
    ]);
    const client = clientFor({ requestTimeoutMs: 2_000 });
    await expect(lastValueFrom(client.send(stream, 'it'))).rejects.toThrow(RequestTimeoutError);
    await waitFor(() => reason !== undefined);
    expect(reason).toBeInstanceOf(RequestAbandonedError);
    await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
    expect(waitingIn(client)).toBe(0);
  });

  it('fails with PublishError if Redis is away', async () => {
    const client = clientFor({
      connection: 'redis://127.0.0.1:1',
      requestTimeoutMs: 60_000,
      publishTimeoutMs: 100,
    });
    const failure = await lastValueFrom(client.send('quote', 'it')).catch(
      (error: unknown) => error,
    );
    expect(failure).toBeInstanceOf(PublishError);
    expect(failure).toMatchObject({ ambiguous: false });
  });
});

describe('an Observable', () => {
  it('has requestTimeoutMs for each of its values', async () => {
    const stream = freshName('quote');
    await start([answeringController(stream, () => interval(400).pipe(take(5)))]);
    const client = clientFor({ requestTimeoutMs: 1_800 });
    const values = lastValueFrom(client.send(stream, 'it').pipe(toArray()));
    await expect(values).resolves.toEqual([0, 1, 2, 3, 4]);
  });

  it('that stops giving values ends on both sides', async () => {
    const stream = freshName('quote');
    let ended = false;
    await start([
      answeringController(
        stream,
        () =>
          new Observable((subscriber) => {
            const values = of(1, 2).subscribe((value) => subscriber.next(value));
            values.add(NEVER.subscribe());
            return () => {
              ended = true;
            };
          }),
      ),
    ]);
    const client = clientFor({ requestTimeoutMs: 2_000 });
    await expect(lastValueFrom(client.send(stream, 'it'))).rejects.toThrow(RequestTimeoutError);
    await waitFor(() => ended);
    await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
  });

  it('without an end ends when its caller unsubscribes, and the next request runs', async () => {
    const stream = freshName('quote');
    let running = 0;
    const app = await start([
      answeringController<string>(stream, (data) => {
        if (data !== 'ticks') return data;
        running++;
        return interval(5).pipe(finalize(() => running--));
      }),
    ]);
    const ticks = lastValueFrom(app.client.send(stream, 'ticks').pipe(take(3), toArray()));
    await expect(ticks).resolves.toEqual([0, 1, 2]);
    await waitFor(() => running === 0);
    await expect(lastValueFrom(app.client.send(stream, 'next'))).resolves.toBe('next');
    await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
    expect(app.monitor.getStats().counts).toMatchObject({ handled: 1, abandoned: 1, failed: 0 });
  });
});

describe('unsubscribing', () => {
  it('leaves nothing behind of 10 000 requests', async () => {
    const stream = freshName('quote');
    const client = clientFor();
    const subscriptions = Array.from({ length: 10_000 }, (_, n) =>
      client.send(stream, n).subscribe(),
    );
    expect(waitingIn(client)).toBe(10_000);
    for (const subscription of subscriptions) subscription.unsubscribe();
    expect(waitingIn(client)).toBe(0);
    // Nothing keeps the process running: every timer is gone.
    const timers = process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout');
    expect(timers.length).toBeLessThan(50);
  });

  it('before anybody has subscribed sends nothing, and each subscriber sends a new request', async () => {
    const stream = freshName('quote');
    let runs = 0;
    const app = await start([answeringController(stream, () => ++runs)]);
    const asked = app.client.send(stream, 'it');
    expect(await redis.client.xlen(stream)).toBe(0);
    await expect(lastValueFrom(asked)).resolves.toBe(1);
    await expect(lastValueFrom(asked)).resolves.toBe(2);
  });
});

describe('closing the client', () => {
  it('rejects waiting requests at once, and it can be used again', async () => {
    const stream = freshName('quote');
    const client = clientFor();
    const waiting = Array.from({ length: 10 }, (_, n) =>
      lastValueFrom(client.send(stream, n)).catch((error: unknown) => error),
    );
    await waitFor(async () => (await redis.client.xlen(stream)) === 10);
    const closed = client.close();
    for (const failure of await Promise.all(waiting)) {
      expect(failure).toBeInstanceOf(ConnectionClosedError);
    }
    await closed;
    await start([answeringController(stream, (data) => data)]);
    await expect(lastValueFrom(client.send(stream, 'again'))).resolves.toBe('again');
  });

  it('works even if Redis was never available', async () => {
    const client = clientFor({ connection: 'redis://127.0.0.1:1' });
    const waiting = lastValueFrom(client.send('quote', 'it')).catch((error: unknown) => error);
    await client.close();
    expect(await waiting).toBeInstanceOf(ConnectionClosedError);
  });
});
