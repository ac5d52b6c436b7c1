import { describe, expect, it } from '@jest/globals';
import { Registry } from 'prom-client';

import { LedgerMaintenanceJob, RedisStreamsRecordBuilder } from '../../lib/index.js';
import { RedisStreamsMetricsModule } from '../../lib/telemetry/prometheus/index.js';
import { freshPrefix } from '../support/fresh-name.js';
import { addEntries } from '../support/group-state.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach, handlerOf, streamsApp } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
closeAppsAfterEach();

/** More than are kept. */
const MANY = 60;
/** How many streams that are gone keep their counts. */
const KEPT = 20;

describe('streams that a wildcard found and that are gone', () => {
  it('leave the counts and metrics of the last twenty, and the totals of all', async () => {
    const keyPrefix = freshPrefix();
    const registry = new Registry();
    const app = await streamsApp(
      { connection: redis.url, group: 'billing', keyPrefix, discoveryIntervalMs: 100 },
      {
        controllers: [handlerOf('orders.*', () => undefined)],
        imports: [RedisStreamsMetricsModule.forRoot({ registry, intervalMs: 0 })],
      },
    );
    const counts = () => app.monitor.getStats().byStream.map(({ stream }) => stream);
    const names = Array.from({ length: MANY }, (_, n) => `orders.${n}`);
    await addEntries(redis.client, `${keyPrefix}orders.stays`, ['first']);
    for (const name of names) await addEntries(redis.client, keyPrefix + name, ['it']);
    await waitFor(() => app.monitor.getStats().counts.handled === MANY + 1);
    expect((await registry.metrics()).match(/orders\.\d+"/g)?.length).toBeGreaterThan(MANY);

    for (const name of names) await redis.client.del(keyPrefix + name);
    await waitFor(() => counts().length === KEPT + 1);
    expect(app.monitor.getStats().counts.handled).toBe(MANY + 1);
    const shown = new Set((await registry.metrics()).match(/orders\.\w+(?=")/g));
    expect(shown.size).toBe(KEPT + 1);
    expect(shown).toContain('orders.stays');

    // One that is back counts on if its counts were kept, and again from 0 if not. Either way it is shown.
    const [first = '', last = ''] = [names[0], counts().at(-1)];
    for (const name of [first, last]) await addEntries(redis.client, keyPrefix + name, ['again']);
    await waitFor(() => app.monitor.getStats().counts.handled === MANY + 3);
    const handled = await registry.getSingleMetric('redis_streams_messages_handled_total')?.get();
    const ofHandled = (name: string) =>
      handled?.values.find(
        ({ labels }) => labels['stream'] === name && labels['outcome'] === 'handled',
      )?.value;
    expect(ofHandled(first)).toBe(1);
    expect(ofHandled(last)).toBe(2);
  });
});

describe('what a group keeps for a stream that vanished while no member ran', () => {
  const WINDOW = 600_000;

  /** What the group keeps for a stream of this name, by the end of the key. */
  async function kept(key: string, group = 'billing'): Promise<Record<string, number>> {
    const base = `stream:{${key}}:group:${group}:`;
    const keys = await redis.client.keys(`${base.replace(/[[\]]/g, '\\$&')}*`);
    const expiries = await Promise.all(
      keys.map(async (each) => [each.slice(base.length), await redis.client.pttl(each)] as const),
    );
    // These expire in any case.
    return Object.fromEntries(
      expiries.filter(([what]) => !/^members|^jobs|^made-blindly/.test(what)),
    );
  }

  const start = (keyPrefix: string) =>
    streamsApp(
      {
        connection: redis.url,
        group: 'billing',
        keyPrefix,
        discoveryIntervalMs: 100,
        publishDedup: false,
        dedup: { windowMs: WINDOW },
        retry: { backoff: { type: 'fixed', delayMs: 600_000, maxDelayMs: 600_000 } },
      },
      {
        controllers: [
          handlerOf('orders.*', (what) => {
            if (what === 'fails') throw new Error('it fails');
          }),
        ],
      },
    );

  it('expires two windows after it was seen last, and its dead letters stay', async () => {
    const keyPrefix = freshPrefix();
    const [gone, stays] = [`${keyPrefix}orders.gone`, `${keyPrefix}orders.stays`];
    const first = await start(keyPrefix);
    const record = (what: string) => new RedisStreamsRecordBuilder(what).setMessageId(what).build();
    for (const stream of ['orders.gone', 'orders.stays']) {
      for (const what of ['works', 'fails']) await first.emit(stream, record(what));
    }
    await redis.client.xadd(gone, '*', 'not', 'readable');
    await waitFor(() => first.monitor.getStats().counts.retried === 2);
    await waitFor(async () => 'dead-letters' in (await kept(gone)));
    await first.close();
    const before = await kept(gone);
    const all = ['attempts', 'dead-letters', 'position', 'processed', 'retries'];
    expect(Object.keys(before).sort()).toEqual(expect.arrayContaining(all));
    expect(Object.values(before).filter((ttl) => ttl !== -1)).toEqual([]);
    // Another group's, and those of a stream that no wildcard of this app matches.
    const others = [
      `stream:{${gone}}:group:audit:processed`,
      `stream:{${keyPrefix}parcels}:group:billing:processed`,
    ];
    for (const key of others) await redis.client.zadd(key, 1, 'some');
    await redis.client.del(gone);

    const second = await start(keyPrefix);
    await second.app.get(LedgerMaintenanceJob).run();
    const { 'dead-letters': letters, ...expiring } = await kept(gone);
    expect(letters).toBe(-1);
    expect(Object.keys(expiring).sort()).toEqual(['attempts', 'processed', 'retries']);
    for (const ttl of Object.values(expiring)) {
      expect(ttl).toBeGreaterThan(WINDOW);
      expect(ttl).toBeLessThanOrEqual(2 * WINDOW);
    }
    expect(Object.values(await kept(stays)).filter((ttl) => ttl !== -1)).toEqual([]);
    for (const key of others) expect(await redis.client.pttl(key)).toBe(-1);
    const [ttl] = Object.values(expiring);
    await second.app.get(LedgerMaintenanceJob).run();
    expect(Number((await kept(gone))['attempts'])).toBeLessThanOrEqual(Number(ttl));

    // It exists again within the window: the message is known, and nothing expires any more.
    await second.emit('orders.gone', record('works'));
    await waitFor(() => second.monitor.getStats().counts.duplicate === 1);
    expect(Object.values(await kept(gone)).filter((each) => each !== -1)).toEqual([]);
  });

  it('is found for names with a hash tag, in braces, and without a prefix', async () => {
    const tag = freshPrefix();
    const names = [`orders.{${tag}}`, `orders.${tag}[x]`];
    const app = await start('');
    for (const name of names) await app.emit(name, 'works');
    await waitFor(() => app.monitor.getStats().counts.handled === names.length);
    await app.close();
    await redis.client.del(...names);
    const again = await start('');
    await again.app.get(LedgerMaintenanceJob).run();
    const ledgers = [
      `stream:orders.{${tag}}:group:billing:processed`,
      `stream:{orders.${tag}[x]}:group:billing:processed`,
    ];
    for (const ledger of ledgers) expect(await redis.client.pttl(ledger)).toBeGreaterThan(WINDOW);
  });
});
