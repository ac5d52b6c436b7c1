import { describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { MessagePattern } from '@nestjs/microservices';
import { firstValueFrom } from 'rxjs';

import {
  type Codec,
  DeadLetters,
  FieldCodec,
  JsonCodec,
  MessageEncodingError,
  type SubscriptionOptions,
  WatermillCodec,
} from '../../lib/index.js';
import { losslessJson } from '../../lib/wire/lossless-json.js';
import { freshName } from '../support/fresh-name.js';
import { isCaughtUp } from '../support/group-state.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach, handlerOf, streamsApp } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
closeAppsAfterEach();

const GROUP = 'billing';
const MOST_LEVELS = 1_000;
const text = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);
const nested = (levels: number): unknown => JSON.parse(text(levels));
const levelsOf = (value: unknown): number => {
  let levels = 0;
  for (let at = value; Array.isArray(at); at = at[0]) levels += 1;
  return levels;
};

const CODECS: [string, Codec, (body: string) => string[]][] = [
  ['JsonCodec', new JsonCodec(), (body) => ['name', 'deep', 'body', body]],
  [
    'JsonCodec with losslessJson',
    new JsonCodec({ json: losslessJson }),
    (body) => ['name', 'deep', 'body', body],
  ],
  ['WatermillCodec', new WatermillCodec(), (body) => ['payload', body]],
  ['FieldCodec', new FieldCodec({ field: 'it' }), (body) => ['it', body]],
];

describe.each(CODECS)('JSON of many levels, %s', (name, codec, fieldsOf) => {
  it('is published and read back up to 1 000 levels, and refused beyond', async () => {
    const stream = freshName('orders');
    const got: number[] = [];
    const { client, emit } = await streamsApp(
      { connection: redis.url, group: GROUP, codec },
      { controllers: [handlerOf(stream, (data) => void got.push(levelsOf(data)))] },
    );
    await emit(stream, nested(MOST_LEVELS));
    await waitFor(() => got.length === 1);
    expect(got).toEqual([MOST_LEVELS]);
    for (const levels of [MOST_LEVELS + 1, 4_500, 100_000]) {
      const emitted = firstValueFrom(client.emit(stream, nested(levels)));
      await expect(emitted).rejects.toThrow(MessageEncodingError);
      await expect(emitted).rejects.toThrow('payload: it has more than 1000 levels');
    }
    expect(await redis.client.xlen(stream)).toBe(1);
  });

  const modes: SubscriptionOptions[] = [
    {},
    { dedup: false },
    { delivery: 'at-most-once', retry: {} },
  ];
  it.each(modes)('harms nobody if another program publishes it (%j)', async (mode) => {
    const stream = freshName('orders');
    const got: number[] = [];
    const { app, monitor } = await streamsApp(
      { connection: redis.url, group: GROUP, codec, retry: { maxAttempts: 1 } },
      {
        controllers: [
          handlerOf(
            stream,
            (data) => {
              got.push(levelsOf(data));
              // A handler that walks through it overflows the stack.
              if (levelsOf(data) > 0) JSON.stringify(data);
            },
            mode,
          ),
        ],
      },
    );
    const bodies = [text(20_000), text(400_000), '['.repeat(20_000), '0'];
    for (const body of bodies) await redis.client.xadd(stream, '*', ...fieldsOf(body));
    await waitFor(() => got.includes(0));
    await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
    const letters = await app.get(DeadLetters).list({ stream });
    const kept = new Set(letters.map(({ fields }) => fields.map(String).join()));
    expect(kept).toEqual(new Set(bodies.slice(0, 3).map((body) => fieldsOf(body).join())));
    // It reads some thousand levels; all others read them, and their handler fails.
    const cannotRead = letters.filter(({ reason }) => reason.includes('it has too many levels'));
    expect(cannotRead).toHaveLength(name.includes('lossless') ? 3 : 0);
    expect(monitor.getStats().counts.deadLettered).toBe(3);
  });
});

it('an answer of too many levels is an error for who asked', async () => {
  const stream = freshName('orders');
  @Controller()
  class Answering {
    @MessagePattern<string>(stream)
    answer(levels: number): unknown {
      return nested(levels);
    }
  }
  const { client } = await streamsApp(
    { connection: redis.url, group: GROUP, retry: { maxAttempts: 1 } },
    { controllers: [Answering] },
  );
  expect(levelsOf(await firstValueFrom(client.send(stream, MOST_LEVELS)))).toBe(MOST_LEVELS);
  await expect(firstValueFrom(client.send(stream, 5_000))).rejects.toBeDefined();
  expect(levelsOf(await firstValueFrom(client.send(stream, 1)))).toBe(1);
});
