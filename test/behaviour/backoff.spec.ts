import { describe, expect, it } from '@jest/globals';

import {
  type RedisStreamsModuleOptions,
  RetryException,
  type SubscriptionOptions,
} from '../../lib/index.js';
import { freshName } from '../support/fresh-name.js';
import { isCaughtUp } from '../support/group-state.js';
import { logged } from '../support/recorded-log.js';
import { redisForTests } from '../support/redis-for-tests.js';
import {
  closeAppsAfterEach,
  handlerOf,
  type StreamsApp,
  streamsApp,
} from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
closeAppsAfterEach();

const GROUP = 'billing';
/** The default backoff waits for a second, and its jitter is a fifth of that. */
const SHORTEST_MS = 800;

interface Ran {
  readonly n: unknown;
  readonly attempt: number;
  readonly atMs: number;
}

/** An app whose handler fails on the first attempt of each message. */
async function failingOnce(
  stream: string,
  options: Partial<RedisStreamsModuleOptions>,
  fail: () => unknown = () => {
    throw new Error('once');
  },
): Promise<{ app: StreamsApp; ran: Ran[] }> {
  const ran: Ran[] = [];
  const handler = handlerOf(stream, (n, context) => {
    const attempt = context.getAttempt();
    ran.push({ n, attempt, atMs: performance.now() });
    return attempt === 1 ? fail.call(context) : undefined;
  });
  const app = await streamsApp(
    { connection: redis.url, group: GROUP, concurrency: 3, ...options },
    { controllers: [handler] },
  );
  return { app, ran };
}

describe('a backoff function that gives no delay', () => {
  const rejects = (): unknown => Promise.reject(new Error('no'));
  const throws = (): never => {
    throw new Error('bug in the policy');
  };
  const cells: {
    what: string;
    backoff: () => unknown;
    options?: SubscriptionOptions;
    partitions?: number;
  }[] = [
    { what: 'throws', backoff: throws },
    { what: 'gives -1', backoff: () => -1 },
    { what: 'rejects', backoff: rejects },
    { what: 'rejects, dedup: false', backoff: rejects, options: { dedup: false } },
    { what: 'rejects, blocking', backoff: rejects, options: { retry: { blocking: true } } },
    { what: 'rejects, partitions', backoff: rejects, partitions: 2 },
  ];

  it.each(cells)(
    'is logged once, and messages are tried again after the default delay: $what',
    async ({ options, partitions, backoff }) => {
      const stream = freshName('orders');
      const { app, ran } = await failingOnce(stream, {
        ...options,
        retry: { ...options?.retry, backoff: backoff as () => number },
        ...(partitions === undefined ? {} : { streams: { [stream]: { partitions } } }),
      });
      for (const n of [1, 2]) await app.emit(stream, n);
      await waitFor(() => app.monitor.getStats().counts.handled === 2);
      for (const n of [1, 2]) {
        const [first, second, ...more] = ran.filter((each) => each.n === n);
        expect([first?.attempt, second?.attempt, more.length]).toEqual([1, 2, 0]);
        expect(Number(second?.atMs) - Number(first?.atMs)).toBeGreaterThan(SHORTEST_MS);
      }
      const lines = logged('error', `"${stream}"`);
      expect(lines).toEqual([expect.stringMatching(/the backoff function (threw|returned) /)]);
      expect(lines[0]).toContain('Allowed is a number of ms, 0 to 315360000000');
    },
  );
});

describe('a delay that is none', () => {
  it.each<[string, (this: { retry: (options: { delayMs: number }) => void }) => void, string]>([
    [
      'RetryException',
      () => {
        throw new RetryException({ delayMs: Number.NaN });
      },
      'Option "RetryException.delayMs": given NaN',
    ],
    [
      'context.retry()',
      function () {
        this.retry({ delayMs: -1 });
      },
      'Option "context.retry.delayMs": given -1',
    ],
  ])('is the failure of the attempt, which says so: %s', async (_, fail, said) => {
    const stream = freshName('orders');
    const retry = { backoff: { type: 'fixed', delayMs: 0 } } as const;
    const { app, ran } = await failingOnce(stream, { retry }, fail);
    await app.emit(stream, 1);
    await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
    expect(ran.map(({ attempt }) => attempt)).toEqual([1, 2]);
    expect(logged('warn', `"${stream}"`)).toEqual([expect.stringContaining(said)]);
  });
});
