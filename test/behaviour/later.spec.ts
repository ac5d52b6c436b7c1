import { afterEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { firstValueFrom } from 'rxjs';

import {
  ClientRedisStreams,
  type Codec,
  FieldCodec,
  JsonCodec,
  type PublishReceipt,
  RedisStreamsContext,
  RedisStreamsRecord,
  RedisStreamsRecordBuilder,
  ServerRedisStreams,
  WatermillCodec,
} from '../../lib/index.js';
import { freshName } from '../support/fresh-name.js';
import { recordedLog } from '../support/recorded-log.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach, handlerOf, streamsApp } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

// Of its own: a test empties it, another takes its memory away, and what waits anywhere is published by all.
const redis = redisForTests({ args: [] });
Logger.overrideLogger(recordedLog);
closeAppsAfterEach();

type Options = ConstructorParameters<typeof ClientRedisStreams>[0];

const LISTED = 'stream:delayed-streams';
const LONG_MS = 60 * 60 * 1000;

const clients = new Set<ClientRedisStreams>();
const servers = new Set<ServerRedisStreams>();

afterEach(async () => {
  await Promise.all([...clients, ...servers].map((its) => its.close()));
  clients.clear();
  servers.clear();
  await redis.client.config('SET', 'maxmemory', '0');
  await redis.client.flushall();
});

function clientFor(options: Options = {}): ClientRedisStreams {
  const client = new ClientRedisStreams({ connection: redis.url, ...options });
  clients.add(client);
  return client;
}

/** A server without handlers: it looks for what is due all the same. */
async function startServer(): Promise<ServerRedisStreams> {
  const server = new ServerRedisStreams({ connection: redis.url, group: 'billing' });
  servers.add(server);
  await server.listen((error) => {
    if (error !== undefined) throw error;
  });
  return server;
}

const later = (payload: unknown, delayMs: number, messageId?: string): RedisStreamsRecord => {
  const builder = new RedisStreamsRecordBuilder(payload).setDelayMs(delayMs);
  return (messageId === undefined ? builder : builder.setMessageId(messageId)).build();
};

const now = (payload: unknown, messageId: string): RedisStreamsRecord =>
  new RedisStreamsRecordBuilder(payload).setMessageId(messageId).build();

const at = (payload: unknown, date: Date): RedisStreamsRecord =>
  new RedisStreamsRecordBuilder(payload).setDeliverAt(date).build();

const emit = (client: ClientRedisStreams, stream: string, data: unknown): Promise<PublishReceipt> =>
  firstValueFrom(client.emit(stream, data));

const failed = (promised: Promise<unknown>): Promise<unknown> =>
  promised.then(
    () => new Error('it did not fail'),
    (error: unknown) => error,
  );

const entriesOf = (stream: string): Promise<[string, string[]][]> =>
  redis.client.xrange(stream, '-', '+');

const numbersIn = async (stream: string): Promise<unknown[]> =>
  (await entriesOf(stream)).map(([, fields]) => JSON.parse(fields[fields.indexOf('body') + 1]!).n);

const waitingIn = (stream: string): Promise<number> =>
  redis.client.zcard(`stream:{${stream}}:delayed`);

const redisNowMs = async (): Promise<number> => {
  const [seconds, micros] = await redis.client.time();
  return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
};

const msOf = (entryId: string | null | undefined): number => Number(entryId?.split('-')[0]);

describe('a message with a delay', () => {
  it('is published when it is due, and its receipt has no entry ID', async () => {
    const stream = freshName('orders');
    const client = clientFor();
    const calledAt = await redisNowMs();
    const receipt = await emit(client, stream, later({ n: 1 }, 300, 'order-1'));
    expect(receipt).toEqual({ stream, messageId: 'order-1', entryId: null, duplicate: false });
    expect(await redis.client.exists(stream)).toBe(0);
    const [entry] = await waitFor(async () => {
      const entries = await entriesOf(stream);
      return entries.length > 0 && entries;
    });
    expect(msOf(entry?.[0]) - calledAt).toBeGreaterThanOrEqual(300);
    expect(entry?.[1]).toEqual(['name', stream, 'body', '{"n":1}', 'id', 'order-1']);
    expect(await redis.client.exists(`stream:{${stream}}:delayed`)).toBe(0);
    expect(await redis.client.exists(`stream:{${stream}}:delayed:messages`)).toBe(0);
  });

  it('of none at all, or with a time that is past, is published right away', async () => {
    const stream = freshName('orders');
    const client = clientFor();
    const receipts = [
      await emit(client, stream, later({ n: 0 }, 0)),
      await emit(client, stream, at({ n: 1 }, new Date(Date.now() - LONG_MS))),
      await emit(client, stream, at({ n: 2 }, new Date(-1))),
    ];
    expect(receipts.map(({ entryId }) => entryId)).toEqual([null, null, null]);
    await waitFor(async () => (await redis.client.xlen(stream)) === 3);
  });
});
