import { afterEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { lastValueFrom } from 'rxjs';

import {
  ClientRedisStreams,
  NoConsumerError,
  type RedisStreamsModuleOptions,
  RequestTimeoutError,
} from '../../lib/index.js';
import { answeringController } from '../support/answering-controller.js';
import { freshName, freshPrefix } from '../support/fresh-name.js';
import { isCaughtUp } from '../support/group-state.js';
import { recordedLog } from '../support/recorded-log.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { type RequestMeter, requestMeter } from '../support/request-meter.js';
import { closeAppsAfterEach, type StreamsApp, streamsApp } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
closeAppsAfterEach();
Logger.overrideLogger(recordedLog);

const GROUP = 'pricing';
const PATIENT_MS = 120_000;
const ends: (() => unknown)[] = [];
afterEach(async () => void (await Promise.all(ends.splice(0).map((end) => end()))));

type ClientOptions = ConstructorParameters<typeof ClientRedisStreams>[0];

function clientFor(options: ClientOptions = {}): ClientRedisStreams {
  const client = new ClientRedisStreams({
    connection: redis.url,
    requestTimeoutMs: PATIENT_MS,
    ...options,
  });
  ends.push(() => client.close());
  return client;
}

const answering = (
  stream: string,
  ran: unknown[] = [],
  options: Partial<RedisStreamsModuleOptions> = {},
): Promise<StreamsApp> =>
  streamsApp(
    { connection: redis.url, group: GROUP, startFrom: 'beginning', ...options },
    {
      controllers: [
        answeringController(stream, (data) => {
          ran.push(data);
          return data;
        }),
      ],
    },
  );

const ask = (client: ClientRedisStreams, stream: string, data: unknown = 'it') =>
  lastValueFrom(client.send(stream, data));

const failure = (asked: Promise<unknown>): Promise<unknown> =>
  asked.then(
    (value) => `no failure: ${String(value)}`,
    (error: unknown) => error,
  );

const membersKey = (stream: string, group = GROUP): string =>
  `stream:{${stream}}:group:${group}:members`;

/** Sends a request, waits until it is in the stream, and long enough for the question about readers. */
async function waiting(client: ClientRedisStreams, stream: string, key = stream) {
  let outcome: unknown = 'waits';
  const answer = ask(client, stream).then(
    (value) => (outcome = value),
    (error: unknown) => (outcome = error),
  );
  const before = await redis.client.xlen(key);
  await waitFor(async () => (await redis.client.xlen(key)) > before || before > 0);
  for (let n = 0; n < 3; n++) await client.unwrap().ping();
  return { answer, outcome: () => outcome };
}

describe('a request to a stream that nobody reads fails at once', () => {
  it('if the stream has no group, and is not run by a service that starts later', async () => {
    const stream = freshName('quote');
    const error = await failure(ask(clientFor(), stream));
    expect(error).toBeInstanceOf(NoConsumerError);
    const { messageId } = error as NoConsumerError;
    expect(error).toMatchObject({ code: 'NO_CONSUMER', stream, groups: [] });
    expect((error as Error).message).toBe(
      `Nobody reads stream "${stream}", so request ${messageId} would get no reply: it has no group. ` +
        'Start the service that answers it, or check the name of the stream and keyPrefix',
    );
    const ran: unknown[] = [];
    const app = await answering(stream, ran);
    await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
    expect(ran).toEqual([]);
    expect(app.monitor.getStats().counts).toMatchObject({ abandoned: 1, handled: 0 });
  });

  it('if its groups have no consumer, or only dead ones', async () => {
    const stream = freshName('quote');
    await redis.client.xgroup('CREATE', stream, 'audit', '$', 'MKSTREAM');
    await redis.client.xgroup('CREATE', stream, GROUP, '$');
    await redis.client.xgroup('CREATECONSUMER', stream, GROUP, 'dead');
    await redis.client.zadd(membersKey(stream), Date.now() - 1_000, 'dead');
    const error = await failure(ask(clientFor(), stream));
    expect(error).toMatchObject({ code: 'NO_CONSUMER', groups: ['audit', GROUP] });
    expect(String(error)).toContain(
      'none of its groups has a living consumer ("audit", "pricing"). Start the service',
    );
  });

  it('with partitions and a keyPrefix, and each request does', async () => {
    const [stream, keyPrefix] = [freshName('quote'), freshPrefix()];
    const streams = { [stream]: { partitions: 2 } };
    const client = clientFor({ keyPrefix, streams });
    for (let n = 0; n < 3; n++) {
      expect(await failure(ask(client, stream, n))).toBeInstanceOf(NoConsumerError);
    }
    await answering(stream, [], { keyPrefix, streams });
    await expect(ask(client, stream)).resolves.toBe('it');
  });

  it('once the last member has been gone for a minute', async () => {
    const stream = freshName('quote');
    const app = await answering(stream);
    await app.close();
    const left = `${membersKey(stream)}:left`;
    expect(await redis.client.pttl(left)).toBeLessThanOrEqual(60_000);
    expect(await redis.client.pttl(left)).toBeGreaterThan(0);
    // As if that minute was over.
    await redis.client.del(left);
    expect(await failure(ask(clientFor(), stream))).toBeInstanceOf(NoConsumerError);
  });
});

describe('a request waits', () => {
  it.each([undefined, 2])('for a service that restarts (partitions: %p)', async (partitions) => {
    const stream = freshName('quote');
    const streams = partitions === undefined ? {} : { [stream]: { partitions } };
    const before = await answering(stream, [], { streams });
    const client = clientFor({ streams });
    await expect(ask(client, stream)).resolves.toBe('it');
    await before.close();
    const asked = Promise.all([1, 2, 3].map((n) => ask(client, stream, n)));
    await waitFor(async () => {
      const keys = await redis.client.keys(`*${stream}*`);
      return keys.length > 0;
    });
    for (let n = 0; n < 3; n++) await client.unwrap().ping();
    await answering(stream, [], { streams });
    await expect(asked).resolves.toEqual([1, 2, 3]);
  });

  it('for a member whose group has vanished', async () => {
    const stream = freshName('quote');
    await answering(stream);
    await redis.client.del(stream, membersKey(stream), `${membersKey(stream)}:versions`);
    await expect(ask(clientFor(), stream)).resolves.toBe('it');
  });

  it('if one of several groups has a consumer', async () => {
    const stream = freshName('quote');
    await redis.client.xgroup('CREATE', stream, 'audit', '$', 'MKSTREAM');
    await answering(stream);
    await expect(ask(clientFor(), stream)).resolves.toBe('it');
  });

  it('if a group belongs to a program that reports no members', async () => {
    const stream = freshName('quote');
    await redis.client.xgroup('CREATE', stream, 'python', '$', 'MKSTREAM');
    await redis.client.xgroup('CREATECONSUMER', stream, 'python', 'worker');
    const client = clientFor({ requestTimeoutMs: 500 });
    expect(await failure(ask(client, stream))).toBeInstanceOf(RequestTimeoutError);
  });

  it('if the client may not see who reads', async () => {
    const stream = freshName('quote');
    const user = freshName('user');
    await redis.client.call('ACL', 'SETUSER', user, 'on', '>secret', '~*', '&*', '+@all', '-xinfo');
    ends.push(() => redis.client.call('ACL', 'DELUSER', user));
    const url = new URL(redis.url);
    [url.username, url.password] = [user, 'secret'];
    const client = clientFor({ connection: url.href });
    const { answer, outcome } = await waiting(client, stream);
    expect(outcome()).toBe('waits');
    await answering(stream);
    await expect(answer).resolves.toBe('it');
  });
});

describe('the question who reads', () => {
  let meter: RequestMeter | undefined;
  afterEach(async () => {
    await meter?.close();
  });

  it('is asked at most once in a second, together with a request', async () => {
    const stream = freshName('quote');
    await answering(stream);
    const counting = (meter = await requestMeter(redis.url));
    const client = clientFor({ connection: counting.url });
    await expect(ask(client, stream)).resolves.toBe('it');
    const startedAt = performance.now();
    counting.reset();
    for (let n = 0; n < 200; n++) await ask(client, stream, n);
    const seconds = Math.ceil((performance.now() - startedAt) / 1_000);
    const asked = counting.requests.filter(({ words }) => words[0]?.toUpperCase() === 'XINFO');
    expect(asked.length).toBeLessThanOrEqual(seconds);
    // Of its one group, and of Redis's clock.
    const aboutGroup = counting.requests.filter(({ words }) =>
      /^(zrange|time)$/i.test(words[0] ?? ''),
    );
    expect(aboutGroup.length).toBeLessThanOrEqual(2 * seconds);
    await client.close();
  });
});
