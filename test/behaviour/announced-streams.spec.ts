import { describe, expect, it } from '@jest/globals';
import { firstValueFrom } from 'rxjs';

import type { RedisStreamsModuleOptions, SubscriptionOptions } from '../../lib/index.js';
import { answeringController } from '../support/answering-controller.js';
import { clientsForTests } from '../support/clients-for-tests.js';
import { freshName, freshPrefix } from '../support/fresh-name.js';
import { addEntries, isCaughtUp } from '../support/group-state.js';
import { logged } from '../support/recorded-log.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach, handlerOf, type StreamsApp } from '../support/streams-app.js';
import { tcpProxy } from '../support/tcp-proxy.js';
import { waitFor } from '../support/wait-for.js';
import { wildcardsAppOf } from '../support/wildcards-app.js';

const redis = redisForTests();
const { clientFor } = clientsForTests(redis);
closeAppsAfterEach();

const GROUP = 'billing';
/** So that no look finds a stream before the test has ended. */
const NEVER: Partial<RedisStreamsModuleOptions> = { discoveryIntervalMs: 2_000_000 };
const startOn = wildcardsAppOf(redis, GROUP);

/** Waits until as many servers hear of new streams. */
const hearing = (prefix: string, servers = 1): Promise<unknown> =>
  waitFor(async () => {
    const channel = `stream:new-streams:${prefix}`;
    const [, listeners] = (await redis.client.pubsub('NUMSUB', channel)) as unknown[];
    return Number(listeners) === servers;
  });

async function start(
  got: unknown[],
  options: Partial<RedisStreamsModuleOptions> = {},
  subscription: SubscriptionOptions = {},
): Promise<{ app: StreamsApp; prefix: string }> {
  const prefix = freshPrefix();
  const handler = handlerOf('orders.*', (data) => void got.push(data), subscription);
  const app = await startOn(prefix, [handler], { ...NEVER, ...options });
  return { app, prefix };
}

describe('a new stream that a wildcard matches', () => {
  it.each<[mode: string, Partial<RedisStreamsModuleOptions>]>([
    ['at-least-once', {}],
    ['at-most-once', { delivery: 'at-most-once' }],
    ['dedup: false', { dedup: false }],
    ['publishDedup: false', { publishDedup: false }],
  ])('is read as soon as it is published to (%s)', async (_, options) => {
    const got: unknown[] = [];
    const { app, prefix } = await start(got, options);
    await hearing(prefix);
    const stream = `${prefix}orders.eu`;
    await app.emit('orders.eu', 1);
    await waitFor(() => got.length === 1);
    await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
    await firstValueFrom(app.client.emitBatch('orders.us', [2, 3]));
    await waitFor(() => got.length === 3);
    expect(got).toEqual([1, 2, 3]);
  });

  it('is read by each group and by another process, and by each once', async () => {
    const [mine, others]: unknown[][] = [[], []];
    const { prefix } = await start(mine ?? []);
    const handler = handlerOf('orders.*', (data) => void others?.push(data));
    await startOn(prefix, [handler], { ...NEVER, group: 'shipping' });
    await hearing(prefix, 2);
    const client = clientFor({ keyPrefix: prefix });
    await Promise.all([1, 2, 3].map((n) => firstValueFrom(client.emit(`orders.${n}`, n))));
    await waitFor(() => mine?.length === 3 && others?.length === 3);
    expect([mine?.sort(), others?.sort()]).toEqual([
      [1, 2, 3],
      [1, 2, 3],
    ]);
  });

  it('answers its first request', async () => {
    const prefix = freshPrefix();
    const handler = answeringController('quotes.*', (data) => data);
    const app = await startOn(prefix, [handler], NEVER);
    await hearing(prefix);
    expect(await firstValueFrom(app.client.send('quotes.eu', 7))).toBe(7);
  });

  it('is not read if no wildcard matches it, and neither are keys of this package', async () => {
    const got: unknown[] = [];
    const { app, prefix } = await start(got);
    await hearing(prefix);
    await app.emit('invoices.eu', 1);
    await app.emit('orders.eu', 2);
    await waitFor(() => got.length === 1);
    expect(await redis.client.xinfo('GROUPS', `${prefix}invoices.eu`)).toEqual([]);
    await redis.client.publish(
      `stream:new-streams:${prefix}`,
      `stream:{${prefix}orders.eu}:retries`,
    );
    await redis.client.publish(`stream:new-streams:${prefix}`, `${prefix}orders.nowhere`);
    await app.emit('orders.us', 3);
    await waitFor(() => got.length === 2);
    expect([...app.monitor.getStats().streams].sort()).toEqual(['orders.eu', 'orders.us']);
    expect(await redis.client.exists(`${prefix}orders.nowhere`)).toBe(0);
  });

  it('is announced again if the server lost its connection', async () => {
    const got: unknown[] = [];
    const { app, prefix } = await start(got);
    await hearing(prefix);
    await app.emit('orders.eu', 1);
    await waitFor(() => got.length === 1);
    await redis.client.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await hearing(prefix);
    await app.emit('orders.us', 2);
    await waitFor(() => got.length === 2);
  });
});

it('a connection that is lost again while it subscribes does not end the process', async () => {
  const rejections: unknown[] = [];
  const onRejection = (reason: unknown): void => void rejections.push(reason);
  process.on('unhandledRejection', onRejection);
  const proxy = await tcpProxy(redis.url);
  try {
    const got: unknown[] = [];
    const { app, prefix } = await start(got, { connection: proxy.url });
    await hearing(prefix);
    for (const at of ['before-request', 'before-reply'] as const) {
      const lostAgain = proxy.resetOnce(at, (request) => /subscribe/i.test(String(request)));
      proxy.resetAll();
      await lostAgain;
      await hearing(prefix);
    }
    await app.emit('orders.eu', 1);
    await waitFor(() => got.length === 1);
    expect(rejections).toEqual([]);
    await app.close();
  } finally {
    process.off('unhandledRejection', onRejection);
    await proxy.close();
  }
});

describe('a user who may not hear of new streams', () => {
  it('finds them when it looks for them, and the log says what is missing', async () => {
    const user = freshName('user');
    await redis.client.call(
      'ACL',
      'SETUSER',
      user,
      'on',
      '>secret',
      '~*',
      '+@all',
      'resetchannels',
    );
    const url = new URL(redis.url);
    url.username = user;
    url.password = 'secret';
    const got: unknown[] = [];
    const { app, prefix } = await start(got, { connection: url.href, discoveryIntervalMs: 200 });
    await addEntries(redis.client, `${prefix}orders.eu`, [1]);
    await waitFor(() => got.length === 1);
    const needs =
      'To be told of them at once, the user needs the rights +subscribe and &stream:new-streams:';
    expect(logged('warn', needs)).toHaveLength(1);
    await app.emit('orders.us', 2);
    await waitFor(() => got.length === 2);
  });

  it('publishes as before', async () => {
    const user = freshName('user');
    await redis.client.call('ACL', 'SETUSER', user, 'on', '>secret', '~*', '+@all', '-publish');
    const url = new URL(redis.url);
    url.username = user;
    url.password = 'secret';
    const client = clientFor({ connection: url.href });
    const stream = freshName('orders');
    await firstValueFrom(client.emit(stream, 1));
    expect(await redis.client.xlen(stream)).toBe(1);
  });
});
