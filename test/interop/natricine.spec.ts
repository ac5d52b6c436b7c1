import { expect, it } from '@jest/globals';
import { firstValueFrom } from 'rxjs';

import {
  ClientRedisStreams,
  DeadLetters,
  RedisStreamsRecordBuilder,
  WatermillCodec,
} from '../../lib/index.js';
import { freshName } from '../support/fresh-name.js';
import { groupState, isCaughtUp } from '../support/group-state.js';
import { recordingApp } from '../support/recording-app.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';
import { python, type Run, withPython } from './partner.js';
import { bytesOf, metadataOf, PAYLOADS, uuid, VECTORS } from './vectors.js';

withPython()('natricine, from a program in Python', () => {
  const redis = redisForTests();
  closeAppsAfterEach();

  const GROUP = 'billing';
  const KEY = '_natricine_message_uuid';
  const natricine: Run = (words, lines) => python('natricine.py', redis.url)(words, lines);
  const hex = (...fields: (string | Buffer)[]) =>
    fields.map((field) => Buffer.from(field).toString('hex'));
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  const reading = (stream: string, payload: 'json' | 'bytes' = 'json') =>
    recordingApp(stream, {
      connection: redis.url,
      group: GROUP,
      startFrom: 'beginning',
      codec: new WatermillCodec({ uuidKey: KEY, payload }),
    });

  it('writes messages that are read here, and have the bytes of the fixed vectors', async () => {
    const stream = freshName('orders');
    const { handled } = await reading(stream);
    const messages = VECTORS.map((vector, n) => ({
      uuid: uuid(n),
      metadata: metadataOf(vector),
      payload: base64(`{"n":${n}}`),
    }));
    await natricine(['publish', stream], messages);
    const entries = await redis.client.xrangeBuffer(stream, '-', '+');
    expect(entries.map(([, fields]) => hex(...fields))).toEqual(
      VECTORS.map((vector, n) => {
        const metadata = vector.metadata === undefined ? [] : ['metadata', bytesOf(vector)];
        return hex(KEY, uuid(n), 'payload', `{"n":${n}}`, ...metadata);
      }),
    );
    await waitFor(() => handled.length === VECTORS.length);
    expect(handled).toMatchObject(
      VECTORS.map(({ name = stream, headers }, n) => ({
        messageId: uuid(n),
        name,
        headers,
        payload: { n },
      })),
    );
  });

  it('reads what is published here, beside a group of this package', async () => {
    const stream = freshName('orders');
    const { emit, handled } = await reading(stream);
    const named = VECTORS.filter(({ name }) => name !== undefined);
    for (const [n, { name = '', headers }] of named.entries()) {
      const record = new RedisStreamsRecordBuilder({ n }).setMessageId(uuid(n));
      await emit(stream, record.setName(name).setHeaders(headers).build());
    }
    const got = await natricine(['subscribe', stream, 'py', String(named.length)]);
    expect(got).toEqual(
      named.map((vector, n) => ({
        uuid: uuid(n),
        metadata: metadataOf(vector),
        payload: base64(`{"n":${n}}`),
      })),
    );
    await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
    expect(await groupState(redis.client, stream, 'py')).toMatchObject({ pending: 0 });
    expect(handled).toHaveLength(named.length);
  });

  it('metadata that is no text arrives as its own subscriber shows it', async () => {
    const stream = freshName('orders');
    const metadata = {
      zero: 0,
      seven: 7,
      minus: -33,
      byte: 200,
      short: 40_000,
      long: 3_000_000_000,
      safe: Number.MAX_SAFE_INTEGER,
      half: 0.5,
      yes: true,
      no: false,
      none: null,
      text: '3',
      empty: '',
    };
    await natricine(['publish', stream], [{ uuid: uuid(1), metadata, payload: base64('1') }]);
    const { handled } = await reading(stream);
    await waitFor(() => handled.length === 1);
    const [shown] = (await natricine(['subscribe', stream, 'py', '1'])) as {
      metadata: Record<string, string>;
    }[];
    expect(handled[0]?.headers).toEqual(shown?.metadata);
    expect(shown?.metadata).toMatchObject({ minus: '-33', half: '0.5', yes: 'True', none: 'None' });
  });

  it('metadata with a list is a dead letter, and the next message is handled', async () => {
    const stream = freshName('orders');
    const messages = [{ tags: ['a'] }, { tags: 'a' }].map((metadata, n) => ({
      uuid: uuid(n),
      metadata,
      payload: base64(String(n)),
    }));
    await natricine(['publish', stream], messages);
    const { app, handled } = await reading(stream);
    await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
    expect(handled.map(({ payload }) => payload)).toEqual([1]);
    expect(await app.get(DeadLetters).list({ stream })).toMatchObject([{ attempts: 0 }]);
  });

  it('payloads are the same bytes on both sides', async () => {
    const stream = freshName('orders');
    const messages = PAYLOADS.map(([, payload], n) => ({
      uuid: uuid(n),
      metadata: {},
      payload: payload.toString('base64'),
    }));
    await natricine(['publish', stream], messages);
    const { emit, handled } = await reading(stream, 'bytes');
    await waitFor(() => handled.length === PAYLOADS.length);
    for (const [n, [, payload]] of PAYLOADS.entries()) {
      expect(Buffer.compare(handled[n]?.payload as Buffer, payload)).toBe(0);
      await emit(stream, payload);
    }
    const count = String(PAYLOADS.length * 2);
    const got = (await natricine(['subscribe', stream, 'py', count])) as typeof messages;
    expect(got.map(({ payload }) => payload)).toEqual(
      [...messages, ...messages].map(({ payload }) => payload),
    );
  });

  it('needs its own key: with that of Watermill it finds no UUID', async () => {
    const stream = freshName('orders');
    const client = new ClientRedisStreams({ connection: redis.url, codec: new WatermillCodec() });
    await firstValueFrom(client.emit(stream, { n: 1 }));
    await client.close();
    const [got] = await natricine(['subscribe', stream, 'py', '1']);
    expect(got).toMatchObject({ uuid: null, payload: base64('{"n":1}') });
    const own = await natricine(['subscribe', stream, 'py-2', '1', '_watermill_message_uuid']);
    expect(own).toMatchObject([{ uuid: expect.stringMatching(/^[\da-f-]{36}$/) }]);
  });
});
