import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { firstValueFrom } from 'rxjs';

import { ClientRedisStreams, DeadLetters, RedisStreamsRecordBuilder } from '../../lib/index.js';
import { freshName } from '../support/fresh-name.js';
import { isCaughtUp } from '../support/group-state.js';
import { ownRedis } from '../support/own-redis.js';
import { closeAppsAfterEach, handlerOf, streamsApp } from '../support/streams-app.js';
import { type SentinelRedis, startSentinelRedis } from '../support/sentinel-redis.js';
import { sentinelProgram } from '../support/sentinels.js';
import { waitFor } from '../support/wait-for.js';

const canRun = (await ownRedis()) === 'process' && (await sentinelProgram()) !== undefined;
const [withSentinels, title] = canRun
  ? [describe, 'Sentinel']
  : [describe.skip, 'skipped: a redis-server on the PATH is needed'];
closeAppsAfterEach();

const GROUP = 'billing';

withSentinels(title, () => {
  let redis: SentinelRedis;
  beforeAll(async () => {
    // What only the primary has is refused, soon after its replicas stopped answering.
    const safe = ['--min-replicas-to-write', '1', '--min-replicas-max-lag', '2'];
    redis = await startSentinelRedis(safe);
  });
  afterAll(() => redis.stop());

  it('a primary that dies under load: everything continues by itself, and nothing that was confirmed is lost', async () => {
    const { connection, primary } = redis;
    const stream = freshName('orders');
    const handled = new Set<number>();
    const app = await streamsApp(
      {
        connection,
        group: GROUP,
        concurrency: 5,
        blockMs: 1_000,
        recovery: { minIdleMs: 2_000, intervalMs: 300 },
      },
      { controllers: [handlerOf<{ n: number }>(stream, ({ n }) => void handled.add(n))] },
    );
    const deadLetters = new DeadLetters({ connection, group: GROUP });
    const client = new ClientRedisStreams({ connection, publishTimeoutMs: 1_000 });
    expect(await deadLetters.count({ stream })).toBe(0);

    const confirmed = new Set<number>();
    const stop = new AbortController();
    const publishing = (async () => {
      for (let n = 0; !stop.signal.aborted; n++) {
        const record = new RedisStreamsRecordBuilder({ n }).setMessageId(`message-${n}`).build();
        // As recommended: what failed is published again, under its ID.
        while (!confirmed.has(n) && !stop.signal.aborted) {
          await firstValueFrom(client.emit(stream, record)).then(
            () => confirmed.add(n),
            () => new Promise((resolve) => setTimeout(resolve, 20)),
          );
        }
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    })();

    await waitFor(() => handled.size > 100);
    await primary.process?.kill('SIGKILL');
    const diedAt = performance.now();
    await waitFor(async () => (await redis.primaryPort()) !== primary.port);
    const electedMs = performance.now() - diedAt;
    const before = confirmed.size;
    await waitFor(() => confirmed.size > before + 100);
    const publishingMs = performance.now() - diedAt;
    await waitFor(() => [...handled].some((n) => n >= before + 50));
    const handlingMs = performance.now() - diedAt;
    stop.abort();
    await publishing;

    const look = new Redis({ host: '127.0.0.1', port: await redis.primaryPort() });
    await waitFor(() => isCaughtUp(look, stream, GROUP));
    look.disconnect();
    expect([...confirmed].filter((n) => !handled.has(n))).toEqual([]);
    // All our connections have followed: two of the server, the client's, and that of DeadLetters.
    expect(await deadLetters.count({ stream })).toBe(0);
    expect(publishingMs).toBeLessThan(electedMs + 20_000);
    expect(handlingMs).toBeLessThan(electedMs + 20_000);
    await client.close();
    await deadLetters.onApplicationShutdown();
    await app.close();
  });
});
