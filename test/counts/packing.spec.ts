import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { LedgerMaintenanceJob } from '../../lib/index.js';
import { UNPACKED } from '../../lib/jobs/pack-ledger.js';
import { ledgerSize } from '../../lib/redis/read/own-records.js';
import { type StreamKeys, streamKeys } from '../../lib/wire/stream-keys.js';
import { freshName } from '../support/fresh-name.js';
import { countedByKind } from '../support/request-kinds.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { type RequestMeter, requestMeter } from '../support/request-meter.js';
import { closeAppsAfterEach, handlerOf, streamsApp } from '../support/streams-app.js';

const redis = redisForTests();
closeAppsAfterEach();

const GROUP = 'billing';
let meter: RequestMeter;
beforeEach(async () => {
  meter = await requestMeter(redis.url);
});
afterEach(() => meter.close());

/** Fills a ledger with UUIDs, each a ms after the one before, as if they had been committed. */
async function fill({ ledger }: StreamKeys, count: number): Promise<void> {
  const fillScript = `
    for n = 1, ARGV[1] do
      local hex = redis.sha1hex(n)
      redis.call('ZADD', KEYS[1], ARGV[2] + n, table.concat({ hex:sub(1, 8), hex:sub(9, 12), hex:sub(13, 16), hex:sub(17, 20), hex:sub(21, 32) }, '-'))
    end`;
  await redis.client.eval(fillScript, 1, ledger, count, Date.now() - count);
}

async function appOf(stream: string): Promise<INestApplication> {
  const { app } = await streamsApp(
    { connection: meter.url, group: GROUP },
    { controllers: [handlerOf(stream, () => undefined)] },
  );
  return app;
}

const bytesOf = async (key: string): Promise<number> =>
  (await redis.client.memory('USAGE', key, 'SAMPLES', 0)) ?? 0;

describe('a maintenance run that packs a ledger', () => {
  it('calls Redis at most 4 times for each 1 000 message IDs', async () => {
    const keys = streamKeys('', freshName('orders'), GROUP);
    await fill(keys, UNPACKED + 10_000);
    const app = await appOf(keys.stream);
    meter.reset();
    await app.get(LedgerMaintenanceJob).run();
    const { pack: calls = 0 } = countedByKind(meter.requests);
    expect(calls / 10).toBeLessThanOrEqual(4);
    expect(await ledgerSize(redis.client, keys)).toEqual({
      all: UNPACKED + 10_000,
      packed: 10_000,
    });
  });

  it('leaves at most 40 bytes for each of 100 000, on an idle stream, too', async () => {
    const keys = streamKeys('', freshName('orders'), GROUP);
    await fill(keys, 100_000);
    const app = await appOf(keys.stream);
    await app.get(LedgerMaintenanceJob).run();
    const bytes = (await bytesOf(keys.ledger)) + (await bytesOf(keys.packedLedger));
    expect(bytes / 100_000).toBeLessThanOrEqual(40);
    expect(await ledgerSize(redis.client, keys)).toEqual({ all: 100_000, packed: 96_000 });
  });

  it('leaves a ZSET as small as one that was never longer', async () => {
    const [long, short] = [freshName('orders'), freshName('orders')].map((stream) =>
      streamKeys('', stream, GROUP),
    ) as [StreamKeys, StreamKeys];
    await fill(long, 40_000);
    await fill(short, UNPACKED);
    const app = await appOf(long.stream);
    await app.get(LedgerMaintenanceJob).run();
    expect(await bytesOf(long.ledger)).toBeLessThanOrEqual(1.2 * (await bytesOf(short.ledger)));
  });
});
