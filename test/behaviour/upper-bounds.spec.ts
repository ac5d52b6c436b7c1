import { describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';

import {
  DeadLetters,
  LedgerMaintenanceJob,
  RedisStreamsRecordBuilder,
  type RedisStreamsModuleOptions,
  type SubscriptionOptions,
  RetentionJob,
  RetryException,
} from '../../lib/index.js';
import { freshName } from '../support/fresh-name.js';
import { recordedLog } from '../support/recorded-log.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach, handlerOf, streamsApp } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
Logger.overrideLogger(recordedLog);
closeAppsAfterEach();

const TIMER = 2_147_483_647;
const WINDOW = 315_360_000_000;
const COUNT = 1_000_000_000_000;

/** Every number that options have, as large as it may be. */
const largest = (stream: string): Omit<RedisStreamsModuleOptions, 'group'> => ({
  connection: redis.url,
  blockMs: TIMER,
  discoveryIntervalMs: TIMER,
  batchSize: 1_000,
  concurrency: 10_000,
  handlerTimeoutMs: TIMER,
  recovery: { minIdleMs: TIMER, intervalMs: TIMER },
  deadLetter: { maxLength: COUNT },
  maintenance: {
    ledgerIntervalMs: TIMER,
    retentionIntervalMs: TIMER,
    consumersIntervalMs: TIMER - 1,
    consumerIdleMs: TIMER,
  },
  shutdown: { drainTimeoutMs: TIMER },
  publishTimeoutMs: TIMER,
  requestTimeoutMs: TIMER,
  maxPayloadBytes: 536_870_912,
  publishDedup: { windowMs: WINDOW },
  streams: {
    [stream]: {
      maxLength: COUNT,
      ttlMs: WINDOW,
      force: true,
      retention: { maxAgeMs: WINDOW, maxLength: COUNT },
    },
  },
});

describe.each<[string, Pick<SubscriptionOptions, 'delivery' | 'dedup'>]>([
  ['at-least-once', { dedup: { windowMs: WINDOW } }],
  ['without a ledger', { dedup: false }],
  ['at-most-once', { delivery: 'at-most-once', dedup: { windowMs: WINDOW } }],
])('with every number as large as it may be, %s', (_, mode) => {
  it('messages are handled once, retried and dead-lettered, and jobs run', async () => {
    const stream = freshName('orders');
    const handled: string[] = [];
    const { app, emit, close } = await streamsApp(
      {
        ...largest(stream),
        ...mode,
        blockMs: TIMER - 1,
        group: 'billing',
        ...(mode.delivery === undefined && {
          retry: { maxAttempts: 2, backoff: { type: 'fixed', delayMs: 1 } },
        }),
      },
      {
        controllers: [
          handlerOf<string>(stream, (what) => {
            handled.push(what);
            if (what === 'later') throw new RetryException({ delayMs: TIMER });
            if (what === 'fails') throw new Error('it fails');
          }),
        ],
      },
    );
    const record = (what: string) => new RedisStreamsRecordBuilder(what).setMessageId(what).build();
    for (const what of ['works', 'works', 'fails', 'later', 'last'])
      await emit(stream, record(what));
    await waitFor(() => handled.includes('last'));
    expect(handled.filter((what) => what === 'works')).toHaveLength(1);
    const dead = mode.delivery === undefined ? 1 : 2;
    const deadLetters = app.get(DeadLetters);
    await waitFor(async () => (await deadLetters.count({ stream })) === dead);
    for (const job of [LedgerMaintenanceJob, RetentionJob]) {
      expect(await app.get<LedgerMaintenanceJob>(job).run()).toEqual({ removed: 0 });
    }
    expect(await redis.client.xlen(stream)).toBe(4);
    await close();
    const pending = (await redis.client.xpending(stream, 'billing'))[0];
    expect(pending).toBe(mode.delivery === undefined ? 1 : 0);
  });
});
