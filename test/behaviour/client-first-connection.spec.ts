import { beforeAll, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { firstValueFrom } from 'rxjs';

import { type ClientRedisStreams, NotConnectedError, PublishError } from '../../lib/index.js';
import { clientsForTests } from '../support/clients-for-tests.js';
import { freshName } from '../support/fresh-name.js';
import { logged, recordedLog } from '../support/recorded-log.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
const { clientFor, proxy } = clientsForTests(redis);

beforeAll(() => Logger.overrideLogger(recordedLog));

const NOWHERE = 'redis://127.0.0.1:1';

const errorOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

const emit = (client: ClientRedisStreams, stream: string, n: number): Promise<unknown> =>
  firstValueFrom(client.emit(stream, { n }));

describe('emit() without a pattern or a payload', () => {
  const INVALID = 'The invalid data or message pattern (undefined/null)';
  const NOTHING =
    'a message needs a stream and a payload. To publish null, give new RedisStreamsRecordBuilder(null).build()';

  it.each<[string, unknown, unknown, string]>([
    ['no pattern', undefined, 1, 'the pattern is undefined'],
    ['null for a pattern', null, 1, 'the pattern is null'],
    ['no payload', 'orders-without-payload', undefined, 'the payload is undefined'],
    ['null for a payload', 'orders-with-null', null, 'the payload is null'],
  ])('is logged if nobody subscribes: %s', async (_, pattern, data, what) => {
    const line = `emit() failed, and nobody observed it: ${what}, and ${NOTHING}`;
    const before = logged('error', line).length;
    clientFor().emit(pattern, data);
    await waitFor(() => logged('error', line).length === before + 1);
  });

  it("is Nest's own error for a subscriber, and is not logged then", async () => {
    const before = logged('error', 'emit() failed').length;
    const error = await errorOf(firstValueFrom(clientFor().emit('orders', null)));
    expect(error).toMatchObject({ name: 'Error', message: INVALID });
    expect(logged('error', 'emit() failed')).toHaveLength(before);
  });
});

describe('connect() to a Redis that cannot be reached', () => {
  it('rejects after publishTimeoutMs with the reason', async () => {
    const client = clientFor({ connection: NOWHERE, publishTimeoutMs: 300 });
    const error = await errorOf(client.connect());
    expect(error).toBeInstanceOf(NotConnectedError);
    expect(error).toMatchObject({
      code: 'NOT_CONNECTED',
      timeoutMs: 300,
      message:
        'No connection to Redis within 300 ms: connect ECONNREFUSED 127.0.0.1:1. The client goes on trying: publish, or call connect() again',
      cause: { message: 'connect ECONNREFUSED 127.0.0.1:1' },
    });
  });

  it('rejects if nothing has answered, and says what that may mean', async () => {
    const silent = await proxy();
    silent.freeze();
    const client = clientFor({ connection: silent.url, publishTimeoutMs: 200 });
    expect(await errorOf(client.connect())).toMatchObject({
      message: expect.stringMatching(
        /^No connection to Redis within 200 ms: nothing has answered yet.*The client goes on trying/,
      ),
    });
  });

  it('leaves the client trying: it publishes once Redis can be reached', async () => {
    const frozen = await proxy();
    frozen.freeze();
    const client = clientFor({ connection: frozen.url, publishTimeoutMs: 200 });
    expect(await errorOf(client.connect())).toBeInstanceOf(NotConnectedError);
    frozen.thaw();
    await waitFor(async () => (await errorOf(client.connect())) === undefined);
    const stream = freshName('orders');
    await waitFor(async () => (await errorOf(emit(client, stream, 1))) === undefined);
    expect(await redis.client.xlen(stream)).toBeGreaterThan(0);
  });
});

describe('close() before the first connection exists', () => {
  it.each([
    ['publishDedup', {}],
    ['no publishDedup', { publishDedup: false }],
  ] as const)('waits for it, and what was emitted is not lost (%s)', async (_, options) => {
    const stream = freshName('orders');
    const client = clientFor({ ...options });
    const emitted = [1, 2, 3].map((n) => emit(client, stream, n));
    const batch = firstValueFrom(client.emitBatch(stream, [{ n: 4 }, { n: 5 }]));
    await client.close();
    expect(await Promise.all(emitted)).toHaveLength(3);
    expect(await batch).toHaveLength(2);
    expect(await redis.client.xlen(stream)).toBe(5);
  });

  it('waits for it if nobody subscribes', async () => {
    const stream = freshName('orders');
    const client = clientFor();
    client.emit(stream, { n: 1 });
    await client.close();
    expect(await redis.client.xlen(stream)).toBe(1);
  });

  it.each([
    ['publishDedup', {}],
    ['no publishDedup', { publishDedup: false }],
  ] as const)('ends without it, and the error says why (%s)', async (_, options) => {
    const stream = freshName('orders');
    const client = clientFor({ ...options, connection: NOWHERE, publishTimeoutMs: 60_000 });
    const emitted = errorOf(emit(client, stream, 1));
    await client.close();
    const error = await emitted;
    expect(error).toBeInstanceOf(PublishError);
    expect(error).toMatchObject({
      ambiguous: false,
      reason: 'the client was closed without a connection: connect ECONNREFUSED 127.0.0.1:1',
      cause: { message: 'connect ECONNREFUSED 127.0.0.1:1' },
    });
  });

  it('ends at once if nothing was emitted', async () => {
    const client = clientFor({ connection: NOWHERE });
    const connected = errorOf(client.connect());
    await client.close();
    expect(await connected).toMatchObject({ code: 'CONNECTION_CLOSED' });
  });
});
