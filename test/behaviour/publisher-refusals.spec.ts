import { describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { Cluster, Redis } from 'ioredis';
import { firstValueFrom } from 'rxjs';

import {
  type ClientRedisStreams,
  type Codec,
  type EntryFields,
  InvalidOptionsError,
  MessageEncodingError,
  type PublishReceipt,
  RedisStreamsRecordBuilder,
} from '../../lib/index.js';
import { clientsForTests } from '../support/clients-for-tests.js';
import { looksAt } from '../support/delayed-messages.js';
import { freshName } from '../support/fresh-name.js';
import { recordedLog } from '../support/recorded-log.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { waitFor } from '../support/wait-for.js';

// A separate server: a test takes its scripts away.
const redis = redisForTests({ args: [] });
Logger.overrideLogger(recordedLog);

const clients = clientsForTests(redis);
const { clientFor } = clients;

const emit = (
  client: ClientRedisStreams,
  stream: string,
  payload: unknown,
  messageId?: string,
): Promise<PublishReceipt> => {
  const builder = new RedisStreamsRecordBuilder(payload);
  if (messageId !== undefined) builder.setMessageId(messageId);
  return firstValueFrom(client.emit(stream, builder.build()));
};

const { numbersIn } = looksAt(redis);

/** Writes the payload as it is: a list of field names and values. */
class RawCodec implements Codec {
  encode(_stream: string, { payload }: { readonly payload: unknown }): EntryFields {
    return payload as EntryFields;
  }

  decode(): { payload: unknown } {
    return { payload: undefined };
  }
}

const fieldsOf = (count: number): string[] =>
  Array.from({ length: count }, (_, n) => [`f${n}`, 'v']).flat();

for (const publishDedup of [undefined, false] as const) {
  const options = publishDedup === undefined ? {} : { publishDedup };

  describe(`an entry that a codec makes, publishDedup ${publishDedup === false ? 'off' : 'on'}`, () => {
    it('may have 3 500 fields, and nothing is sent of a batch with more', async () => {
      const stream = freshName('orders');
      const client = clientFor({ codec: new RawCodec(), ...options });
      await firstValueFrom(client.emitBatch(stream, [['a', '1'], fieldsOf(3_500)]));
      expect(await redis.client.xlen(stream)).toBe(2);
      const tooMany = firstValueFrom(client.emitBatch(stream, [['a', '1'], fieldsOf(3_501)]));
      await expect(tooMany).rejects.toThrow(MessageEncodingError);
      await expect(tooMany).rejects.toThrow('3501 fields');
      expect(await redis.client.xlen(stream)).toBe(2);
    });

    it.each<[string, unknown]>([
      ['no list', 'text'],
      ['nothing', undefined],
      ['an empty list', []],
      ['a name without a value', ['a', '1', 'b']],
      ['a number', ['a', 1]],
      ['null', ['a', null]],
    ])('that is %s is refused with an error that says so', async (_, fields) => {
      const stream = freshName('orders');
      class WrongCodec extends RawCodec {
        override encode(): EntryFields {
          return fields as EntryFields;
        }
      }
      const client = clientFor({ codec: new WrongCodec(), ...options });
      const emitted = firstValueFrom(client.emit(stream, {}));
      await expect(emitted).rejects.toThrow(MessageEncodingError);
      await expect(emitted).rejects.toThrow('the codec returned');
      expect(await redis.client.exists(stream)).toBe(0);
    });

    it('with 3 500 fields can be published later', async () => {
      const stream = freshName('orders');
      const client = clientFor({ codec: new RawCodec(), ...options });
      const record = new RedisStreamsRecordBuilder(fieldsOf(3_500)).setDelayMs(1).build();
      await firstValueFrom(client.emit(stream, record));
      await waitFor(async () => (await redis.client.xlen(stream)) === 1);
    });
  });
}

describe('a window as long as it may be', () => {
  const TEN_YEARS = 315_360_000_000;

  it('publishes each message once', async () => {
    const stream = freshName('orders');
    const client = clientFor({ publishDedup: { windowMs: TEN_YEARS } });
    expect((await emit(client, stream, {}, 'order-1')).duplicate).toBe(false);
    expect((await emit(client, stream, {}, 'order-1')).duplicate).toBe(true);
    expect((await emit(client, stream, {}, 'order-2')).duplicate).toBe(false);
    expect(await redis.client.xlen(stream)).toBe(2);
  });

  it('publishes later, each message once', async () => {
    const stream = freshName('orders');
    const client = clientFor({ publishDedup: { windowMs: TEN_YEARS } });
    const record = (messageId: string) =>
      new RedisStreamsRecordBuilder({}).setMessageId(messageId).setDelayMs(1).build();
    await firstValueFrom(client.emit(stream, record('order-1')));
    await firstValueFrom(client.emit(stream, record('order-2')));
    await waitFor(async () => (await redis.client.xlen(stream)) === 2);
    const again = await firstValueFrom(client.emit(stream, record('order-1')));
    expect(again.duplicate).toBe(true);
  });

  it('may not be longer', () => {
    expect(() => clientFor({ publishDedup: { windowMs: TEN_YEARS + 1 } })).toThrow(
      InvalidOptionsError,
    );
  });
});

describe('an ioredis instance of the caller', () => {
  it.each([
    ['keyPrefix', { keyPrefix: 'dev:' }],
    ['stringNumbers', { stringNumbers: true }],
    ['enableAutoPipelining', { enableAutoPipelining: true }],
  ])('with %s is refused', (option, options) => {
    const mine = new Redis({ lazyConnect: true, ...options });
    expect(() => clientFor({ connection: mine })).toThrow(InvalidOptionsError);
    expect(() => clientFor({ connection: mine })).toThrow(option);
    const cluster = new Cluster(['redis'], {
      lazyConnect: true,
      ...(option === 'enableAutoPipelining' ? options : { redisOptions: options }),
    });
    expect(() => clientFor({ connection: cluster })).toThrow(option);
  });

  it('that resends what was not answered keeps the order, and says what is a duplicate', async () => {
    const stream = freshName('orders');
    await emit(clientFor(), stream, { n: 0 }, 'order-1');
    const proxy = await clients.proxy();
    const mine = new Redis(proxy.url);
    mine.on('error', () => undefined);
    try {
      const client = clientFor({ connection: mine });
      await client.connect();
      await emit(client, stream, { n: 1 });
      // The resend goes by digest, and Redis does not know the script any more.
      await redis.client.script('FLUSH');
      const sprung = proxy.resetOnce('before-request', (request) => request.includes(stream));
      const resent = [
        emit(client, stream, { n: 'again' }, 'order-1'),
        emit(client, stream, { n: 2 }, 'order-2'),
      ];
      await sprung;
      await waitFor(() => mine.status !== 'ready');
      const later = emit(client, stream, { n: 3 }, 'order-3');
      const [duplicate, first] = await Promise.all(resent);
      expect(duplicate?.duplicate).toBe(true);
      expect(first?.duplicate).toBe(false);
      expect((await later).duplicate).toBe(false);
      expect(await numbersIn(stream)).toEqual([0, 1, 2, 3]);
    } finally {
      mine.disconnect();
    }
  });
});
