import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';

import { lastValueFrom } from 'rxjs';

import { DeadLetters, type SubscriptionOptions } from '../../lib/index.js';
import { placesOf } from '../../lib/wire/partitions.js';
import { streamKeys } from '../../lib/wire/stream-keys.js';
import { freshName } from '../support/fresh-name.js';
import { countedByKind } from '../support/request-kinds.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { type RequestMeter, requestMeter } from '../support/request-meter.js';
import { closeAppsAfterEach, handlerOf, streamsApp } from '../support/streams-app.js';
import { type TcpProxy, tcpProxy } from '../support/tcp-proxy.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
closeAppsAfterEach();

const GROUP = 'billing';
const MESSAGES = 500;
const SMALL = { batchSize: 10, concurrency: 5 } as const;
/** How many of both kinds compete. */
const EACH = 300;

let proxy: TcpProxy | undefined;
let meter: RequestMeter | undefined;
afterEach(async () => {
  await meter?.close();
  await proxy?.close();
  meter = proxy = undefined;
});

interface Mode {
  readonly name: string;
  readonly options?: SubscriptionOptions;
  /** How much later everything arrives, in each direction. */
  readonly latencyMs?: number;
  readonly partitions?: number;
}

const AT_LEAST_ONCE: Mode = { name: 'at-least-once' };
const FAR_AWAY: Mode = { name: 'with a round trip of 5 ms', latencyMs: 2.5 };
const NO_LEDGER: Mode = { name: 'without a ledger', options: { dedup: false } };
const AT_MOST_ONCE: Mode = { name: 'at-most-once', options: { delivery: 'at-most-once' } };
const PARTITIONS: Mode = { name: 'in partitions', partitions: 2 };

interface Order {
  readonly n: number;
  readonly isNew?: boolean;
}

/** An app whose handler fails until it is told what to do. */
async function failingApp({ options, latencyMs, partitions }: Mode, maxAttempts: number) {
  const stream = freshName('orders');
  proxy = await tcpProxy(redis.url, latencyMs === undefined ? {} : { latencyMs });
  const counting = (meter = await requestMeter(proxy.url));
  const handled: Order[] = [];
  const state = { handle: undefined as (() => Promise<unknown> | undefined) | undefined };
  const handle = async (order: Order): Promise<void> => {
    if (state.handle === undefined) throw new Error('not now');
    await state.handle();
    handled.push(order);
  };
  const retry = { maxAttempts, backoff: { type: 'fixed', delayMs: 60_000, jitter: 0 } } as const;
  const { app, client } = await streamsApp(
    {
      connection: { url: counting.url, healthCheckIntervalMs: false },
      group: GROUP,
      recovery: { intervalMs: 600_000 },
      ...(partitions === undefined ? {} : { streams: { [stream]: { partitions } } }),
    },
    { controllers: [handlerOf(stream, handle, { ...SMALL, ...options, retry })] },
  );
  const keys = placesOf(stream, partitions).map((place) => streamKeys('', place, GROUP));
  /** How many wait in all of these keys. */
  const countOf = async (what: 'retries' | 'deadLetters'): Promise<number> => {
    const counts = keys.map((its) =>
      what === 'retries' ? redis.client.zcard(its.retries) : redis.client.xlen(its.deadLetters),
    );
    return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
  };
  const publish = async (orders: readonly Order[]): Promise<void> => {
    await lastValueFrom(client.emitBatch(stream, orders));
  };
  return {
    stream,
    state,
    handled,
    publish,
    keys,
    countOf,
    counting,
    deadLetters: app.get(DeadLetters),
  };
}

type FailingApp = Awaited<ReturnType<typeof failingApp>>;

const ordersUpTo = (count: number): readonly Order[] =>
  Array.from({ length: count }, (_, n) => ({ n }));

/** Retries that all become due at the returned call. */
async function waitingRetries(
  count: number,
  { publish, countOf, keys }: FailingApp,
): Promise<() => Promise<unknown>> {
  await publish(ordersUpTo(count));
  await waitFor(async () => (await countOf('retries')) === count);
  return () =>
    Promise.all(
      keys.map(async ({ retries }) => {
        const ids = await redis.client.zrange(retries, 0, '-1');
        await redis.client.call('ZADD', retries, ...ids.flatMap((id) => ['1', id]));
      }),
    );
}

/** Dead letters that are all redriven at the returned call. */
async function waitingLetters(
  count: number,
  { stream, publish, countOf, deadLetters }: FailingApp,
): Promise<() => Promise<unknown>> {
  await publish(ordersUpTo(count));
  await waitFor(async () => (await countOf('deadLetters')) === count);
  return () => deadLetters.redrive({ stream });
}

/** Checks that happen by the clock: each also reads a page of the list of delayed messages. */
const checksIn = (counting: RequestMeter): number => countedByKind(counting.requests)['HSCAN'] ?? 0;

const WAYS = [
  ...[AT_LEAST_ONCE, FAR_AWAY, NO_LEDGER].map((mode) => ({ what: 'retries', mode })),
  ...[AT_LEAST_ONCE, FAR_AWAY, NO_LEDGER, AT_MOST_ONCE, PARTITIONS].map((mode) => ({
    what: 'redrives',
    mode,
  })),
];

const waitingOf = async (what: string, mode: Mode, count = MESSAGES) => {
  const app = await failingApp(mode, what === 'retries' ? 2 : 1);
  const makeDue = await (what === 'retries'
    ? waitingRetries(count, app)
    : waitingLetters(count, app));
  return { ...app, makeDue };
};

describe('what is due', () => {
  for (const { what, mode } of WAYS) {
    it(`is taken page after page, and not one page for each check by the clock: ${what}, ${mode.name}`, async () => {
      const { makeDue, state, counting, handled } = await waitingOf(what, mode);
      state.handle = () => undefined;
      counting.reset();
      await makeDue();
      await waitFor(() => handled.length === MESSAGES);
      const checks = checksIn(counting);
      const { due = 0, tend = 0 } = countedByKind(counting.requests);
      // A check asks once for retries and redrives, and once for delayed messages.
      const askedBetween = due + tend - 2 * checks;
      expect(askedBetween).toBeGreaterThanOrEqual(5);
      expect(askedBetween).toBeLessThanOrEqual(MESSAGES / 2);
    });
  }

  for (const { what, mode } of WAYS) {
    it(`and new messages do not wait for each other: ${what}, ${mode.name}`, async () => {
      const { makeDue, state, handled, publish } = await waitingOf(what, mode, EACH);
      let isOpen = false;
      let started = 0;
      state.handle = () => {
        started += 1;
        return isOpen ? delay(5) : waitFor(() => isOpen);
      };
      await makeDue();
      // Partitions are asked once a second.
      await waitFor(() => started === SMALL.concurrency);
      await publish(ordersUpTo(EACH).map(({ n }) => ({ n, isNew: true })));
      isOpen = true;
      await waitFor(() => handled.length >= EACH);
      const first = handled.slice(0, EACH);
      const areNew = first.filter(({ isNew }) => isNew).length;
      expect(areNew).toBeGreaterThan(EACH / 5);
      expect(areNew).toBeLessThan((4 * EACH) / 5);
      await waitFor(() => handled.length === 2 * EACH);
    });
  }

  for (const mode of [AT_LEAST_ONCE, PARTITIONS]) {
    it(`is not asked for again and again while there is no room for it: ${mode.name}`, async () => {
      const { makeDue, state, counting } = await waitingOf('redrives', mode);
      let started = 0;
      let isOpen = false;
      state.handle = () => {
        started += 1;
        return waitFor(() => isOpen);
      };
      await makeDue();
      await waitFor(() => started === SMALL.concurrency);
      counting.reset();
      await waitFor(() => checksIn(counting) >= 4);
      const { due = 0, tend = 0 } = countedByKind(counting.requests);
      isOpen = true;
      expect(due).toBeLessThanOrEqual(2 * (checksIn(counting) + 1));
      expect(tend).toBeLessThanOrEqual(2 * (checksIn(counting) + 1));
    });
  }
});
