import { beforeAll, describe, expect, it } from '@jest/globals';

import {
  type Codec,
  JsonCodec,
  RedisStreamsRecordBuilder,
  type RedisStreamsModuleOptions,
  WatermillCodec,
} from '../../lib/index.js';
import { partitionOf } from '../../lib/wire/partitions.js';
import { freshName } from '../support/fresh-name.js';
import { recordingApp } from '../support/recording-app.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';
import { go, python, type Run, withGo, withPython } from './partner.js';
import { uuid } from './vectors.js';

const COUNT = 8;
const redis = redisForTests();
closeAppsAfterEach();

/** Ordering keys. Without one, the message ID decides. */
const KEYS = ['customer-1', 'customer-2', 'Köln', '名前', '🚆', ' ', 'x'.repeat(300), null];
const MESSAGES = KEYS.flatMap((key, k) =>
  [0, 1, 2].map((n) => ({ key, id: uuid(k * 10 + n), body: { k, n } })),
);
/** CRC-32 modulo 8, from zlib.crc32 in Python. */
const FIXED = { 'customer-1': 5, 'customer-2': 7, Köln: 3, 名前: 0, 123456789: 6 };

const reading = (stream: string, codec: Codec) =>
  recordingApp(stream, {
    connection: redis.url,
    group: 'billing',
    startFrom: 'beginning',
    streams: { [stream]: { codec, partitions: COUNT } },
  } satisfies RedisStreamsModuleOptions);
type Reading = Awaited<ReturnType<typeof reading>>;

/** Each key in its partition, and in its order. */
async function expectAllHandled({ handled }: Reading): Promise<void> {
  await waitFor(() => handled.length === MESSAGES.length, { timeoutMs: 60_000 });
  for (const { key, id, body } of MESSAGES) {
    const message = handled.find(({ messageId }) => messageId === id);
    expect(message).toMatchObject({ payload: body, partition: partitionOf(key ?? id, COUNT) });
  }
  for (const [k] of KEYS.filter((key) => key !== null).entries()) {
    const order = handled
      .map(({ payload }) => payload as { k: number; n: number })
      .filter((payload) => payload.k === k);
    expect(order.map(({ n }) => n)).toEqual([0, 1, 2]);
  }
}

async function emitAll(stream: string, { emit }: Reading): Promise<void> {
  for (const { key, id, body } of MESSAGES) {
    const record = new RedisStreamsRecordBuilder(body).setMessageId(id);
    await emit(stream, (key === null ? record : record.setKey(key)).build());
  }
}

describe('the partition of a key', () => {
  it.each(Object.entries(FIXED))('of %s is %i of 8', (key, partition) => {
    expect(partitionOf(key, COUNT)).toBe(partition);
  });
});

withPython()('a stream with partitions, from a program in Python', () => {
  const program: Run = (words, lines) => python('partitions.py', redis.url)(words, lines);

  it('is read here by partition, and by key in order', async () => {
    const stream = freshName('orders');
    await program(['publish', stream, String(COUNT)], MESSAGES);
    await expectAllHandled(await reading(stream, new JsonCodec()));
  });

  it('is written here to the partitions that Python computes', async () => {
    const stream = freshName('orders');
    const app = await reading(stream, new JsonCodec());
    await emitAll(stream, app);
    const theirs = freshName('theirs');
    await program(['publish', theirs, String(COUNT)], MESSAGES);
    const rows = await program(['read', stream, String(COUNT)]);
    expect(rows).toHaveLength(MESSAGES.length);
    expect(rows).toEqual(await program(['read', theirs, String(COUNT)]));
    await expectAllHandled(app);
  });
});

withGo()('a stream with partitions, from a program in Go', () => {
  let watermill: Run;
  beforeAll(async () => {
    watermill = await go(redis.url);
  });
  const base64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64');
  const messages = MESSAGES.map(({ key, id, body }) => ({
    uuid: id,
    metadata: key === null ? {} : { _nestjs_key: key },
    payload: base64(body),
  }));

  it('is read here by partition, and by key in order', async () => {
    const stream = freshName('orders');
    await watermill(['publish-keyed', stream, String(COUNT)], messages);
    await expectAllHandled(await reading(stream, new WatermillCodec()));
  });

  it('is written here to the partitions that Go computes', async () => {
    const stream = freshName('orders');
    const app = await reading(stream, new WatermillCodec());
    await emitAll(stream, app);
    for (const partition of Array.from({ length: COUNT }, (_, n) => n)) {
      const expected = messages.filter(
        (_, at) => partitionOf(MESSAGES[at]!.key ?? MESSAGES[at]!.id, COUNT) === partition,
      );
      const words = ['subscribe', `{${stream}:${partition}}`, 'go', String(expected.length)];
      const got = (await watermill(words)) as typeof messages;
      expect(got.map((message) => message.uuid)).toEqual(expected.map((message) => message.uuid));
    }
    await expectAllHandled(app);
  });
});
