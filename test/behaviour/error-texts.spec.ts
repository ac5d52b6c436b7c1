import { afterEach, describe, expect, it } from '@jest/globals';
import type { INestApplicationContext, Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern } from '@nestjs/microservices';
import { firstValueFrom } from 'rxjs';

import {
  ClientRedisStreams,
  RedisStreamsModule,
  ServerRedisStreams,
  subscription,
} from '../../lib/index.js';
import { clientsForTests } from '../support/clients-for-tests.js';
import { freshName } from '../support/fresh-name.js';
import { recordedLog } from '../support/recorded-log.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach, handlerOf, streamsApp } from '../support/streams-app.js';

const redis = redisForTests();
const { clientFor } = clientsForTests(redis);
closeAppsAfterEach();

const opened: INestApplicationContext[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((app) => app.close()));
});

/** The message of what a user's own code throws, whatever the types allow. */
async function textOf(call: () => unknown): Promise<string> {
  try {
    await call();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  throw new Error('nothing was thrown');
}

const anything = (value: unknown): never => value as never;

const server = (options: object) => () => new ServerRedisStreams(anything(options));
const appWith = (module: unknown) => async () => {
  const app = await NestFactory.createApplicationContext(anything(module), {
    logger: recordedLog,
    abortOnError: false,
  });
  opened.push(app);
};
const patternOf = (pattern: unknown) => () => {
  class Handlers {
    handle(_data: unknown): void {}
  }
  const method = Object.getOwnPropertyDescriptor(Handlers.prototype, 'handle');
  EventPattern(anything(pattern))(Handlers.prototype, 'handle', anything(method));
  return streamsApp(
    { connection: redis.url, group: 'billing' },
    { controllers: [Handlers as Type] },
  );
};

const SERVER_OPTIONS =
  'name, connection, group, consumer, keyPrefix, blockMs, discoveryIntervalMs, startFrom, batchSize, readAheadBytes, ' +
  'replyBufferBytes, concurrency, delivery, dedup, handlerTimeoutMs, retry, deadLetter, handlers, unhandled, codec, ' +
  'deserializer, recovery, streams, maintenance, shutdown';

describe('a mistake in code is told in one line: where, what was given and what is allowed', () => {
  it.each<[what: string, call: () => unknown, text: string]>([
    [
      'an option inside a union',
      server({ group: 'a', retry: { backoff: { delayMs: 'soon' } } }),
      'Option "retry.backoff.delayMs": given "soon", allowed: a whole number of ms, 0 to 2147483647',
    ],
    [
      'an unknown option',
      server({ group: 'a', concurency: 3 }),
      `Option "concurency": given a number, allowed: nothing of this name; did you mean concurrency? known here: ${SERVER_OPTIONS}`,
    ],
    [
      'an unknown option inside another',
      server({ group: 'a', retry: { maxAtempts: 3 } }),
      'Option "retry.maxAtempts": given a number, allowed: nothing of this name; did you mean maxAttempts? known here: ' +
        'maxAttempts, backoff, blocking',
    ],
    [
      'an unknown option of a subscription',
      () => subscription(anything({ concurency: 3 })),
      'Option "subscription.concurency": given a number, allowed: nothing of this name; did you mean concurrency? known here: ' +
        'startFrom, batchSize, readAheadBytes, replyBufferBytes, concurrency, delivery, dedup, handlerTimeoutMs, retry, ' +
        'deadLetter, handlers, unhandled',
    ],
    [
      'a host that is no name',
      server({ group: 'a', connection: { host: 5 } }),
      'Option "connection.host": given a number, allowed: the name or the address of a host',
    ],
    [
      'no group',
      server({}),
      'Option "group": given nothing, allowed: text that is not empty, without the parts "group:" and "jobs:": one name for each service',
    ],
    [
      'partitions of a wildcard',
      server({ group: 'a', streams: { 'ev.*': { partitions: 3 } } }),
      'Option "streams.ev.*.partitions": given 3, allowed: only for a stream\'s full name: a wildcard stands for many streams, ' +
        'and handlers must name a stream that has partitions',
    ],
    [
      'forRoot() without options',
      () => Reflect.apply(RedisStreamsModule.forRoot, RedisStreamsModule, []),
      `Option "forRoot()": given nothing, allowed: an object of module options, with a group: forRoot({ group: 'billing' })`,
    ],
    [
      "ioredis's options in place of those of the module",
      appWith(RedisStreamsModule.forRoot(anything({ group: 'a', host: 5 }))),
      'Option "host": given a number, allowed: nothing of this name; did you mean connection: { host }? known here: ' +
        `${SERVER_OPTIONS.slice('name, '.length)}, publishTimeoutMs, requestTimeoutMs, inbox, publishDedup, maxPayloadBytes, serializer`,
    ],
    [
      "an option of a client's",
      () => new ClientRedisStreams(anything({ requestTimeoutMs: 'x' })),
      'Option "requestTimeoutMs": given "x", allowed: a whole number of ms, 1 to 2147483647',
    ],
    [
      'a list in a pattern',
      patternOf({ cmd: ['a'] }),
      'Option "pattern.cmd": given a list, allowed: text, a number, true, false, null, or an object of these',
    ],
    [
      'a misspelt key of a pattern',
      patternOf({ stream: 'a', nam: 'b' }),
      'Option "pattern.nam": given a string, allowed: nothing of this name; did you mean name? known here: stream, name',
    ],
    [
      'an event for all streams of a wildcard',
      () => firstValueFrom(clientFor().emit('wild.*', 1)),
      'A message for stream "wild.*" cannot be encoded, nothing was sent: a message goes to one stream, and "*" in a pattern ' +
        'stands for many: give the full name of a stream',
    ],
  ])('%s', async (_, call, text) => {
    expect(await textOf(call)).toBe(text);
  });
});

describe('what Redis refuses is told in one line: where, why, and what to do', () => {
  it('publishing to a key of another type', async () => {
    const stream = freshName('orders');
    await redis.client.set(stream, 'text');
    const client = clientFor();
    expect(await textOf(() => firstValueFrom(client.emit(stream, 1)))).toMatch(
      new RegExp(
        `^Message [0-9a-f-]{36} for stream "${stream}" was not confirmed: WRONGTYPE Operation against a key holding the ` +
          'wrong kind of value. It did not arrive: publish it again.$',
      ),
    );
  });

  it('reading keys of another type: each stream, and why', async () => {
    const [orders, payments] = [freshName('orders'), freshName('payments')];
    await redis.client.set(orders, 'text');
    await redis.client.sadd(payments, 'text');
    const controllers = [handlerOf(orders, () => undefined), handlerOf(payments, () => undefined)];
    const start = () => streamsApp({ connection: redis.url, group: 'billing' }, { controllers });
    const does = 'which this package did not write: rename or delete it';
    expect(await textOf(start)).toBe(
      `Group "billing" cannot start, Redis refuses stream "${orders}": the key "${orders}" holds a string, ${does}; ` +
        `stream "${payments}": the key "${payments}" holds a set, ${does}`,
    );
    expect(await redis.client.get(orders)).toBe('text');
    await expect(start()).rejects.toMatchObject({
      code: 'STREAMS_REFUSED',
      cause: { message: 'WRONGTYPE Operation against a key holding the wrong kind of value' },
    });
  });
});
