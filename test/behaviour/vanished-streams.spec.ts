import { describe, expect, it } from '@jest/globals';
import { Registry } from 'prom-client';

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
