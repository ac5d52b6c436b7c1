import { describe, expect, it } from '@jest/globals';
import { IncomingRequestDeserializer } from '@nestjs/microservices';

import {
  type Codec,
  DeadLetters,
  InvalidOptionsError,
  JsonCodec,
  MessageEncodingError,
  type RedisStreamsModuleOptions,
  WatermillCodec,
} from '../../lib/index.js';
import { resolveModuleOptions } from '../../lib/options/resolve-options.js';
import { freshName } from '../support/fresh-name.js';
import { isCaughtUp } from '../support/group-state.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach, handlerOf, streamsApp } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
closeAppsAfterEach();

const GROUP = 'billing';

async function reading(stream: string, options: Partial<RedisStreamsModuleOptions>) {
  const handled: unknown[] = [];
  const app = await streamsApp(
    { connection: redis.url, group: GROUP, startFrom: 'beginning', ...options },
    { controllers: [handlerOf(stream, (payload) => void handled.push(payload))] },
  );
  return { ...app, handled };
}
const caughtUp = (stream: string) => waitFor(() => isCaughtUp(redis.client, stream, GROUP));

describe("Nest's serializer and deserializer", () => {
  it("are called like those of Nest's own transports", async () => {
    const stream = freshName('orders');
    const given: unknown[] = [];
    const { emit, handled } = await reading(stream, {
      serializer: {
        serialize: (packet) => {
          given.push({ ...packet });
          return { ...packet, at: 'Nest' };
        },
      },
      deserializer: {
        deserialize: (value, options) => {
          given.push(value, options);
          return { pattern: value.pattern, data: [value.data, value.at] };
        },
      },
    });
    await emit(stream, { n: 1 });
    await caughtUp(stream);
    expect(given).toEqual([
      { pattern: stream, data: { n: 1 } },
      { pattern: stream, data: { n: 1 }, at: 'Nest' },
      { channel: stream },
    ]);
    expect(handled).toEqual([[{ n: 1 }, 'Nest']]);
    const [entry] = await redis.client.xrange(stream, '-', '+');
    expect(entry?.[1][3]).toBe(`{"pattern":"${stream}","data":{"n":1},"at":"Nest"}`);
  });

  it.each<Codec>([new JsonCodec(), new WatermillCodec()])(
    'are called before and after the codec, which carries their bytes: %p',
    async (codec) => {
      const stream = freshName('orders');
      const { emit, handled } = await reading(stream, {
        streams: { [stream]: { codec } },
        serializer: { serialize: ({ data }) => Buffer.from(String(data), 'utf16le') },
        deserializer: {
          deserialize: (value: Buffer) => ({ pattern: stream, data: value.toString('utf16le') }),
        },
      });
      await emit(stream, 'größe');
      await caughtUp(stream);
      expect(handled).toEqual(['größe']);
    },
  );

  it("accept what others write with Nest's own deserializer: a packet, or bare data", async () => {
    const stream = freshName('orders');
    const packet = JSON.stringify({ pattern: stream, data: { n: 1 } });
    await redis.client.xadd(stream, '*', 'name', 'a', 'body', packet);
    await redis.client.xadd(stream, '*', 'name', 'a', 'body', '{"n":2}');
    const { handled } = await reading(stream, { deserializer: new IncomingRequestDeserializer() });
    await caughtUp(stream);
    expect(handled).toEqual([{ n: 1 }, { n: 2 }]);
  });

  it('report a failure to the caller, and nothing is sent', async () => {
    const stream = freshName('orders');
    const { emit } = await reading(stream, {
      serializer: {
        serialize: ({ data }) => {
          if (data === 'later') return Promise.resolve(data);
          throw new TypeError('no schema');
        },
      },
    });
    await expect(emit(stream, 'now')).rejects.toThrow(
      'the serializer failed: TypeError: no schema',
    );
    await expect(emit(stream, 'later')).rejects.toThrow(MessageEncodingError);
    expect(await redis.client.xlen(stream)).toBe(0);
  });

  it('make a dead letter of what they cannot read, and the next is handled', async () => {
    const stream = freshName('orders');
    const { app, emit, handled } = await reading(stream, {
      deserializer: {
        deserialize: (value) => {
          if (value === 'throw') throw new TypeError('no schema');
          if (value === 'later') return Promise.reject(new Error('later'));
          return value === 'nothing' ? undefined : { pattern: stream, data: value };
        },
      } as NonNullable<RedisStreamsModuleOptions['deserializer']>,
    });
    for (const value of ['throw', 'later', 'nothing', 'fine']) await emit(stream, value);
    await caughtUp(stream);
    expect(handled).toEqual(['fine']);
    const letters = await app.get(DeadLetters).list({ stream });
    expect(letters.map(({ error }) => error?.name)).toEqual([
      'MessageDecodingError',
      'MessageDecodingError',
      'TypeError',
    ]);
  });

  it.each(['serializer', 'deserializer'])('are checked when they are passed in: %s', (option) => {
    const resolve = () =>
      resolveModuleOptions({ group: 'a', [option]: {} } as RedisStreamsModuleOptions);
    expect(resolve).toThrow(InvalidOptionsError);
    expect(resolve).toThrow(`"${option}"`);
  });
});
