import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import type { RedisStreamsModuleOptions } from '../../lib/index.js';
import { freshName } from '../support/fresh-name.js';
import { countedByKind } from '../support/request-kinds.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { type RequestMeter, requestMeter } from '../support/request-meter.js';
import { closeAppsAfterEach, handlerOf, streamsApp } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
closeAppsAfterEach();

const STREAMS = 30;
const DUE_EVERY_MS = 200;
const BLOCK_MS = 1_000;
const LEASE_MS = 1_500;

let meter: RequestMeter;
beforeEach(async () => {
  meter = await requestMeter(redis.url);
});
afterEach(() => meter.close());

/** Commands with long intervals, which would be counted now and then, do not occur during a test. */
const options = (recoveryMs = 600_000): RedisStreamsModuleOptions => ({
  connection: { url: meter.url, healthCheckIntervalMs: false },
  group: freshName('billing'),
  blockMs: BLOCK_MS,
  recovery: { intervalMs: recoveryMs, minIdleMs: LEASE_MS },
});

/** What was sent while the server checked twelve times for due messages, by kind, and how long that took. */
async function sentMeanwhile(): Promise<{ counts: Record<string, number>; tookMs: number }> {
  // The commands of the start are over once two checks have passed.
  meter.reset();
  await waitFor(() => (countedByKind(meter.requests)['HSCAN'] ?? 0) >= 2);
  meter.reset();
  const startedAt = performance.now();
  await waitFor(() => (countedByKind(meter.requests)['HSCAN'] ?? 0) >= 12);
  return { counts: countedByKind(meter.requests), tookMs: performance.now() - startedAt };
}

/** How often something can happen in a time if it happens at most every `everyMs`. */
const atMost = (tookMs: number, everyMs: number): number => Math.ceil(tookMs / everyMs) + 1;

describe('an idle server of many streams', () => {
  const controllers = () =>
    Array.from({ length: STREAMS }, () => handlerOf(freshName('orders'), () => undefined));

  it('has two connections', async () => {
    await streamsApp(options(), { controllers: controllers() });
    await waitFor(() => countedByKind(meter.requests)['due']);
    expect(meter.connections).toBe(2);
  });

  it('sends only one blocking read and, every 200 ms, one check for due messages', async () => {
    await streamsApp(options(), { controllers: controllers() });
    const { counts, tookMs } = await sentMeanwhile();
    // Due delayed messages, and the list of streams that have some, are asked for in the same round trip.
    expect(Object.keys(counts).sort()).toEqual(['HSCAN', 'XREADGROUP', 'due']);
    expect(counts['due']).toBeLessThanOrEqual(2 * atMost(tookMs, DUE_EVERY_MS));
    expect(counts['HSCAN']).toBeLessThanOrEqual(atMost(tookMs, DUE_EVERY_MS));
    expect(counts['XREADGROUP']).toBeLessThanOrEqual(atMost(tookMs, BLOCK_MS));
    expect(meter.roundTrips).toBeLessThanOrEqual(
      atMost(tookMs, DUE_EVERY_MS) + atMost(tookMs, BLOCK_MS),
    );
  });

  it('sends one check for all streams each time it looks for what other consumers left', async () => {
    await streamsApp(options(DUE_EVERY_MS), { controllers: controllers() });
    const { counts, tookMs } = await sentMeanwhile();
    expect(Object.keys(counts).sort()).toEqual(['HSCAN', 'XREADGROUP', 'due', 'unattended']);
    expect(counts['unattended']).toBeGreaterThan(5);
    expect(counts['unattended']).toBeLessThanOrEqual(atMost(tookMs, DUE_EVERY_MS));
  });
});

it('a server whose handlers run adds one renewal for all of them, three times in a lease', async () => {
  const RUNNING = 20;
  const stream = freshName('orders');
  let started = 0;
  let end: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const handle = async (): Promise<void> => {
    started += 1;
    await ended;
  };
  const subscribed = { startFrom: 'beginning', concurrency: RUNNING + 1 } as const;
  const app = await streamsApp(options(), { controllers: [handlerOf(stream, handle, subscribed)] });
  for (let n = 0; n < RUNNING; n++) {
    await redis.client.xadd(stream, '*', 'name', stream, 'body', '{}');
  }
  await waitFor(() => started === RUNNING);
  const { counts, tookMs } = await sentMeanwhile();
  expect(Object.keys(counts).sort()).toEqual(['HSCAN', 'XREADGROUP', 'due', 'renew']);
  expect(counts['renew']).toBeLessThanOrEqual(atMost(tookMs, LEASE_MS / 3));
  end();
  await app.close();
});
