import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { lastValueFrom, timeout } from 'rxjs';

import {
  ClientRedisStreams,
  RequestAbandonedError,
  type RedisStreamsModuleOptions,
  RedisStreamsRecordBuilder,
  type SubscriptionOptions,
} from '../../lib/index.js';
import { answeringController } from '../support/answering-controller.js';
import { childProgram, endChildPrograms } from '../support/child-program.js';
import { compiledPackage, type CompiledPackage } from '../support/compiled-package.js';
import { freshName } from '../support/fresh-name.js';
import { recordedLog } from '../support/recorded-log.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach, type StreamsApp, streamsApp } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
closeAppsAfterEach();
Logger.overrideLogger(recordedLog);

const GROUP = 'pricing';
let client: ClientRedisStreams;
afterEach(() => client.close());

/** A service that answers `stream`, what it ran, and the reasons of the signals that were aborted. */
async function answering(
  stream: string,
  options: Partial<RedisStreamsModuleOptions> = {},
  subscriptionOptions: SubscriptionOptions = {},
  pattern = stream,
) {
  const ran: unknown[] = [];
  const reasons: unknown[] = [];
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  const handler = answeringController(
    pattern,
    async (data, context) => {
      ran.push(data);
      const signal = context.getSignal();
      const aborted = new Promise<void>((resolve) =>
        signal.addEventListener('abort', () => resolve()),
      );
      await Promise.race([released, aborted]);
      if (signal.aborted) reasons.push(signal.reason);
      return data;
    },
    subscriptionOptions,
  );
  const app = await streamsApp(
    { connection: redis.url, group: GROUP, ...options },
    { controllers: [handler] },
  );
  client = new ClientRedisStreams({
    connection: redis.url,
    streams: options.streams ?? {},
    requestTimeoutMs: 180_000,
  });
  return { app, ran, reasons, release: () => release() };
}

const keyed = (value: unknown): unknown =>
  new RedisStreamsRecordBuilder(value).setKey('one').build();
const counts = (app: StreamsApp) => app.monitor.getStats().counts;
const isReason = (reason: unknown): boolean => reason instanceof RequestAbandonedError;

const PARTITIONED = freshName('partitioned');
type Mode = readonly [
  name: string,
  stream: string,
  options: Partial<RedisStreamsModuleOptions>,
  subscription: SubscriptionOptions,
  pattern?: string,
];
const wild = freshName('wild');
const MODES: readonly Mode[] = [
  ['at-least-once', freshName('quote'), {}, {}],
  ['at-most-once', freshName('quote'), { delivery: 'at-most-once' }, {}],
  ['without a ledger', freshName('quote'), { dedup: false }, {}],
  ['with partitions', PARTITIONED, { streams: { [PARTITIONED]: { partitions: 2 } } }, {}],
  [
    'by wildcard',
    `${wild}.a`,
    { discoveryIntervalMs: 100 },
    { startFrom: 'beginning' },
    `${wild}.*`,
  ],
  ['with blocking retries', freshName('quote'), {}, { retry: { maxAttempts: 2, blocking: true } }],
];

describe.each(MODES)(
  '%s, a caller that unsubscribes',
  (_, stream, options, subscription, pattern) => {
    it('before the first value ends the run that has started, and keeps those that wait from starting', async () => {
      const { app, ran, reasons, release } = await answering(
        stream,
        options,
        subscription,
        pattern,
      );
      const asked = [1, 2, 3, 4].map((n) => client.send(stream, keyed(n)).subscribe());
      const other = lastValueFrom(client.send(stream, keyed('other')));
      await waitFor(() => ran.length === 1);
      const leftAt = performance.now();
      for (const subscribed of asked) subscribed.unsubscribe();
      await waitFor(() => reasons.length === 1);
      // A second is promised; a busy machine may take longer.
      expect(performance.now() - leftAt).toBeLessThan(10_000);
      expect(reasons.every(isReason)).toBe(true);
      release();
      await expect(other).resolves.toBe('other');
      expect(ran).toEqual([1, 'other']);
      await waitFor(() => counts(app).abandoned >= 3);
    });
  },
);

describe('a request is cancelled', () => {
  it('by the timeout() operator of its caller', async () => {
    const stream = freshName('quote');
    const { ran, reasons } = await answering(stream);
    const asked = lastValueFrom(client.send(stream, 1).pipe(timeout(300)));
    await expect(asked).rejects.toThrow('Timeout');
    if (ran.length === 1) await waitFor(() => reasons.length === 1);
  });

  it('by closing its client, also if it waits for its turn', async () => {
    const stream = freshName('quote');
    const { app, ran, reasons } = await answering(stream);
    for (const n of [1, 2, 3]) client.send(stream, n).subscribe({ error: () => undefined });
    await waitFor(() => ran.length === 1);
    await client.close();
    await waitFor(() => counts(app).abandoned >= 2);
    expect(ran).toEqual([1]);
    expect(reasons.every(isReason)).toBe(true);
    await waitFor(() => reasons.length === 1);
  });

  it('while the client has no connection, once it has one again', async () => {
    const stream = freshName('quote');
    const { ran, reasons } = await answering(stream);
    const asked = client.send(stream, 1).subscribe();
    await waitFor(() => ran.length === 1);
    client.unwrap().disconnect(true);
    asked.unsubscribe();
    await waitFor(() => reasons.length === 1);
  });
});

describe('a request of another process', () => {
  let built: CompiledPackage;
  beforeAll(async () => {
    built = await compiledPackage('test/support/programs');
  });
  afterEach(endChildPrograms);

  it.each(['unsubscribe', 'close'])(
    'is cancelled if that process leaves by %s()',
    async (leavesBy) => {
      const stream = freshName('quote');
      const { app, ran, reasons } = await answering(stream);
      const caller = childProgram(built.program('test/support/programs/asking.program.ts'), {
        env: { REDIS_URL: redis.url, STREAM: stream, LEAVES_BY: leavesBy },
      });
      await waitFor(() => ran.length === 1, { timeoutMs: 30_000 });
      caller.kill('SIGTERM');
      await waitFor(() => reasons.length === 1, { timeoutMs: 30_000 });
      expect(reasons.every(isReason)).toBe(true);
      await waitFor(() => counts(app).abandoned >= 2);
      expect(ran).toEqual([1]);
    },
  );

  it('that is killed, is ended when its time is over', async () => {
    const stream = freshName('quote');
    const { ran, reasons } = await answering(stream);
    const caller = childProgram(built.program('test/support/programs/asking.program.ts'), {
      env: { REDIS_URL: redis.url, STREAM: stream, REQUEST_TIMEOUT_MS: '5000' },
    });
    await waitFor(() => ran.length > 0, { timeoutMs: 30_000 });
    caller.kill('SIGKILL');
    await waitFor(() => reasons.length > 0, { timeoutMs: 30_000 });
    expect(reasons.every(isReason)).toBe(true);
  });
});
