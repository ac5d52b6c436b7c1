import { describe, expect, it } from '@jest/globals';

import { RedisStreamsRecordBuilder, WatermillCodec } from '../../lib/index.js';
import { freshName } from '../support/fresh-name.js';
import { lastFields, recordingApp } from '../support/recording-app.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';
import { bytesOf, PAYLOADS, uuid, VECTORS } from './vectors.js';

const redis = redisForTests();
closeAppsAfterEach();

const LIBRARIES = [
  ['Watermill', '_watermill_message_uuid'],
  ['natricine', '_natricine_message_uuid'],
] as const;

const reading = (stream: string, codec: WatermillCodec) =>
  recordingApp(stream, { connection: redis.url, group: 'billing', startFrom: 'beginning', codec });

describe.each(LIBRARIES)('entries of %s, byte for byte', (library, uuidKey) => {
  it('are read, in any order of their fields', async () => {
    const stream = freshName('orders');
    for (const [n, vector] of VECTORS.entries()) {
      const pairs: [string, string | Buffer][] = [
        [uuidKey, uuid(n)],
        ['payload', `{"n":${n}}`],
      ];
      // natricine writes no field if there is no metadata, Watermill an empty one.
      if (vector.metadata !== undefined || library === 'Watermill') {
        pairs.push(['metadata', bytesOf(vector)]);
      }
      const turned = [...pairs.slice(n % pairs.length), ...pairs.slice(0, n % pairs.length)];
      await redis.client.xadd(stream, '*', ...turned.flat());
    }
    const { handled } = await reading(stream, new WatermillCodec({ uuidKey }));
    await waitFor(() => handled.length === VECTORS.length);
    expect(handled).toMatchObject(
      VECTORS.map(({ name = stream, headers }, n) => ({
        messageId: uuid(n),
        name,
        headers,
        payload: { n },
      })),
    );
    expect(handled.map(({ headers }) => headers)).toEqual(VECTORS.map(({ headers }) => headers));
  });

  it('are written', async () => {
    const stream = freshName('orders');
    const { emit } = await reading(stream, new WatermillCodec({ uuidKey }));
    for (const [n, vector] of VECTORS.entries()) {
      if (vector.name === undefined) continue;
      const record = new RedisStreamsRecordBuilder({ n })
        .setMessageId(uuid(n))
        .setName(vector.name)
        .setHeaders(vector.headers)
        .build();
      await emit(stream, record);
      expect(
        (await lastFields(redis.client, stream)).map((field) => field.toString('hex')),
      ).toEqual(
        [uuidKey, uuid(n), 'payload', `{"n":${n}}`, 'metadata', bytesOf(vector)].map((field) =>
          Buffer.from(field).toString('hex'),
        ),
      );
    }
  });

  it.each(PAYLOADS)('carry %s as payload, in both directions', async (_, payload) => {
    const stream = freshName('orders');
    await redis.client.xadd(stream, '*', uuidKey, uuid(1), 'payload', payload);
    const { emit, handled } = await reading(
      stream,
      new WatermillCodec({ uuidKey, payload: 'bytes' }),
    );
    await emit(stream, new RedisStreamsRecordBuilder(payload).setMessageId(uuid(2)).build());
    expect((await lastFields(redis.client, stream))[3]?.equals(payload)).toBe(true);
    await waitFor(() => handled.length === 2);
    for (const message of handled) {
      expect(message.payload instanceof Buffer && message.payload.equals(payload)).toBe(true);
    }
  });
});
