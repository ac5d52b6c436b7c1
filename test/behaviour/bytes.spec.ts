import { randomBytes } from 'node:crypto';

import { describe, expect, it } from '@jest/globals';
import { firstValueFrom } from 'rxjs';

import {
  type Codec,
  DeadLetters,
  JsonCodec,
  MessageEncodingError,
  RedisStreamsRecordBuilder,
  type SubscriptionOptions,
  WatermillCodec,
} from '../../lib/index.js';
import { freshName } from '../support/fresh-name.js';
import { isCaughtUp } from '../support/group-state.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach, handlerOf, streamsApp } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
closeAppsAfterEach();

const GROUP = 'billing';

const CODECS: [string, Codec, (stream: string, id: Buffer, n: number) => (string | Buffer)[]][] = [
  ['JsonCodec', new JsonCodec(), (stream, id, n) => ['name', stream, 'body', String(n), 'id', id]],
  [
    'WatermillCodec',
    new WatermillCodec(),
    (_, id, n) => ['_watermill_message_uuid', id, 'payload', String(n), 'metadata', ''],
  ],
];

const MODES: Pick<SubscriptionOptions, 'delivery' | 'dedup'>[] = [
  {},
  { dedup: false },
  { delivery: 'at-most-once' },
];

describe.each(CODECS)('message IDs that are no text, %s', (_, codec, fieldsOf) => {
  it.each(MODES)('each run, and run once (%j)', async (mode) => {
    const stream = freshName('orders');
    const got = new Map<string, number>();
    const { app, close } = await streamsApp(
      { connection: redis.url, group: GROUP, codec, retry: { maxAttempts: 1 }, ...mode },
      {
        controllers: [
          handlerOf<number>(
            stream,
            (n, context) => {
              got.set(context.getMessageId(), n);
              if (n === 0) throw new Error('the first one fails');
            },
            { startFrom: 'beginning', ...(mode.delivery !== undefined && { retry: {} }) },
          ),
        ],
      },
    );
    const ids = [Buffer.from([0xff]), Buffer.from([0xfe]), Buffer.from('base64:/w==')];
    for (let n = 0; n < 200; n++) ids.push(randomBytes(8));
    const add = async (id: Buffer, n: number) =>
      redis.client.xadd(stream, '*', ...fieldsOf(stream, id, n));
    await Promise.all(ids.map(add));
    await waitFor(() => got.size === ids.length);
    expect(got.get('base64:/w==')).toBe(0);
    expect(got.get('base64:/g==')).toBe(1);
    expect(got.get('base64:YmFzZTY0Oi93PT0=')).toBe(2);
    await waitFor(() => isCaughtUp(redis.client, stream, GROUP));

    const deadLetters = app.get(DeadLetters);
    const [letter] = await deadLetters.list({ stream, limit: 10 });
    expect(letter?.messageId).toBe('base64:/w==');
    const [kept] = await redis.client.xrangeBuffer(
      `stream:{${stream}}:group:${GROUP}:dead-letters`,
      '-',
      '+',
    );
    expect(kept?.[1].some((field) => field.equals(Buffer.from([0xff])))).toBe(true);
    // With the same bytes it is the same message.
    await add(Buffer.from([0xfe]), 7_000);
    await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
    expect(got.get('base64:/g==')).toBe(mode.dedup === false ? 7_000 : 1);
    const ledger = `stream:{${stream}}:group:${GROUP}:processed`;
    expect((await redis.client.zscore(ledger, 'base64:/g==')) === null).toBe(mode.dedup === false);
    await close();
  });
});

describe('what emit() cannot write as UTF-8 is refused', () => {
  const half = '\ud800';
  it.each<[string, (builder: RedisStreamsRecordBuilder<string>) => unknown]>([
    ['message ID', (builder) => builder.setMessageId(half)],
    ['name', (builder) => builder.setName(half)],
    ['key', (builder) => builder.setKey(half)],
    ['header "tenant"', (builder) => builder.setHeaders({ tenant: half })],
  ])('as a %s', async (what, set) => {
    const stream = freshName('orders');
    const { client } = await streamsApp({ connection: redis.url, group: GROUP }, {});
    const builder = new RedisStreamsRecordBuilder('it');
    set(builder);
    const emitted = firstValueFrom(client.emit(stream, builder.build()));
    await expect(emitted).rejects.toThrow(MessageEncodingError);
    await expect(emitted).rejects.toThrow(`its ${what} has unpaired surrogates`);
    expect(await redis.client.exists(stream)).toBe(0);
  });

  it("as a stream's name", async () => {
    const { client } = await streamsApp({ connection: redis.url, group: GROUP }, {});
    const emitted = firstValueFrom(client.emit(`orders${half}`, 1));
    await expect(emitted).rejects.toThrow('has unpaired surrogates');
  });
});

it('a message ID that a handler got can be published again, and is the same', async () => {
  const [stream, copy] = [freshName('orders'), freshName('copies')];
  const { client, monitor } = await streamsApp(
    { connection: redis.url, group: GROUP },
    {
      controllers: [
        handlerOf(stream, async (data, context) => {
          const record = new RedisStreamsRecordBuilder(data).setMessageId(context.getMessageId());
          await firstValueFrom(client.emit(copy, record.build()));
        }),
      ],
    },
  );
  await redis.client.xadd(stream, '*', 'name', stream, 'body', '1', 'id', Buffer.from([0xff]));
  await waitFor(() => monitor.getStats().counts.handled === 1);
  const [entry] = await redis.client.xrangeBuffer(copy, '-', '+');
  expect(entry?.[1].some((field) => field.equals(Buffer.from([0xff])))).toBe(true);
});

it('a payload of many bytes arrives as it was sent', async () => {
  const stream = freshName('files');
  const sent = randomBytes(6 * 1024 * 1024);
  let got: unknown;
  const { emit } = await streamsApp(
    { connection: redis.url, group: GROUP, maxPayloadBytes: 16 * 1024 * 1024 },
    { controllers: [handlerOf(stream, (data) => void (got = data))] },
  );
  await emit(stream, sent);
  await waitFor(() => got !== undefined);
  expect(Buffer.isBuffer(got) && got.equals(sent)).toBe(true);
});
