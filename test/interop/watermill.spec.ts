import { beforeAll, expect, it } from '@jest/globals';
import { firstValueFrom } from 'rxjs';

import {
  ClientRedisStreams,
  DeadLetters,
  RedisStreamsRecordBuilder,
  WatermillCodec,
} from '../../lib/index.js';
import { freshName } from '../support/fresh-name.js';
import { groupState, isCaughtUp } from '../support/group-state.js';
import { lastFields, recordingApp } from '../support/recording-app.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';
import { go, type Run, withGo } from './partner.js';
import { bytesOf, metadataOf, PAYLOADS, uuid, VECTORS } from './vectors.js';

withGo()('Watermill, from a program in Go', () => {
  const redis = redisForTests();
  closeAppsAfterEach();
  let watermill: Run;
  beforeAll(async () => {
    watermill = await go(redis.url);
  });

  const GROUP = 'billing';
  const KEY = '_watermill_message_uuid';
  const codec = new WatermillCodec();
  const reading = (stream: string, options: { readonly codec: WatermillCodec } = { codec }) =>
    recordingApp(stream, {
      connection: redis.url,
      group: GROUP,
      startFrom: 'beginning',
      ...options,
    });
  const base64 = (text: string) => Buffer.from(text).toString('base64');

  it('writes messages that are read here, with IDs that are UUIDs or any other text', async () => {
    const stream = freshName('orders');
    const ids = ['01HF7YAT5VKV4Y0JZ8M3Q1X9ZB', 'Bestellung № 7', ''];
    const messages = VECTORS.map((vector, n) => ({
      uuid: ids[n] ?? uuid(n),
      metadata: metadataOf(vector),
      payload: base64(JSON.stringify({ n })),
    }));
    await watermill(['publish', stream], messages);
    const { handled } = await reading(stream);
    await waitFor(() => handled.length === VECTORS.length);
    expect(handled).toMatchObject(
      VECTORS.map(({ name = stream, headers }, n) => ({ name, headers, payload: { n } })),
    );
    expect(handled.map(({ messageId }) => messageId)).toEqual(
      // Without a UUID, a message has the ID of its entry.
      handled.map(({ entryId }, n) => messages[n]?.uuid || entryId),
    );
    await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
  });

  it('writes the bytes that the fixed vectors have', async () => {
    const stream = freshName('orders');
    // With two or more entries, the order in a map of Go is random.
    const fixed = VECTORS.filter((vector) => Object.keys(metadataOf(vector)).length < 2);
    expect(fixed).toHaveLength(2);
    for (const [n, vector] of fixed.entries()) {
      const message = { uuid: uuid(n), metadata: metadataOf(vector), payload: base64('{}') };
      await watermill(['publish', stream], [message]);
      const fields = await lastFields(redis.client, stream);
      const at = fields.findIndex((field) => field.toString() === 'metadata');
      expect(fields[at + 1]).toEqual(bytesOf(vector));
    }
  });

  it('reads what is published here, beside a group of this package, and each acknowledges for itself', async () => {
    const stream = freshName('orders');
    const { emit, handled } = await reading(stream);
    const named = VECTORS.filter(({ name }) => name !== undefined);
    for (const [n, { name = '', headers }] of named.entries()) {
      const record = new RedisStreamsRecordBuilder({ n }).setMessageId(`m-${n}`);
      await emit(stream, record.setName(name).setHeaders(headers).build());
    }
    const count = String(named.length);
    const got = await watermill(['subscribe', stream, 'go', count]);
    expect(got).toEqual(
      named.map((vector, n) => ({
        uuid: `m-${n}`,
        metadata: metadataOf(vector),
        payload: base64(JSON.stringify({ n })),
      })),
    );
    // One more group of Go, in which all fails: nothing of it is acknowledged, and the others do not get it again.
    await watermill(['subscribe', stream, 'go-failing', count, 'nack']);
    await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
    expect(await groupState(redis.client, stream, 'go')).toMatchObject({ pending: 0 });
    expect(await groupState(redis.client, stream, 'go-failing')).toMatchObject({
      pending: named.length,
    });
    expect(handled).toHaveLength(named.length);
  });

  it('payloads are the same bytes on both sides', async () => {
    const stream = freshName('orders');
    const messages = PAYLOADS.map(([, payload], n) => ({
      uuid: uuid(n),
      metadata: {},
      payload: payload.toString('base64'),
    }));
    await watermill(['publish', stream], messages);
    const { emit, handled } = await reading(stream, {
      codec: new WatermillCodec({ payload: 'bytes' }),
    });
    await waitFor(() => handled.length === PAYLOADS.length);
    for (const [n, [, payload]] of PAYLOADS.entries()) {
      expect(Buffer.compare(handled[n]?.payload as Buffer, payload)).toBe(0);
      await emit(stream, payload);
    }
    const count = String(PAYLOADS.length * 2);
    const got = (await watermill(['subscribe', stream, 'go', count])) as typeof messages;
    expect(got.map(({ payload }) => payload)).toEqual(
      [...messages, ...messages].map(({ payload }) => payload),
    );
  });

  it('a message that it publishes again with the same UUID is handled once', async () => {
    const stream = freshName('orders');
    const message = { uuid: uuid(1), metadata: {}, payload: base64('1') };
    await watermill(['publish', stream], [message, message]);
    const { handled, monitor } = await reading(stream);
    await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
    expect(handled).toHaveLength(1);
    await waitFor(() => monitor.getStats().counts.duplicate === 1);
  });

  it('a message that is not JSON is a dead letter with the bytes that Go wrote, and the next is handled', async () => {
    const stream = freshName('orders');
    const payloads = [Buffer.from([0xff, 0x00]), Buffer.from('2')];
    const messages = payloads.map((payload, n) => ({
      uuid: uuid(n),
      metadata: { name: 'a' },
      payload: payload.toString('base64'),
    }));
    await watermill(['publish', stream], messages);
    const { app, handled } = await reading(stream);
    await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
    expect(handled.map(({ payload }) => payload)).toEqual([2]);
    const [letter] = await app.get(DeadLetters).list({ stream });
    expect(letter?.fields).toHaveLength(6);
    expect(letter?.fields).toEqual(
      expect.arrayContaining([Buffer.from(KEY), Buffer.from(uuid(0)), payloads[0]]),
    );
  });

  it('reads a request as an event', async () => {
    const stream = freshName('orders');
    const client = new ClientRedisStreams({ connection: redis.url, codec });
    const answer = firstValueFrom(client.send(stream, { n: 1 }));
    answer.catch(() => undefined);
    const [got] = await watermill(['subscribe', stream, 'go', '1']);
    expect(got).toMatchObject({ metadata: { name: stream }, payload: base64('{"n":1}') });
    await client.close();
  });
});
