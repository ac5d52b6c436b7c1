import { describe, expect, it } from '@jest/globals';

import { InvalidOptionsError, type StartFrom, subscription } from '../../lib/index.js';
import { freshName } from '../support/fresh-name.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach, handlerOf, streamsApp } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
closeAppsAfterEach();

const HOUR_MS = 3_600_000;

describe('startFrom', () => {
  const now = Date.now();
  /** Entries of two days ago, of an hour ago (three in the same millisecond), and of a minute ago. */
  const ids = [
    `${now - 48 * HOUR_MS}-0`,
    ...[0, 1, 2].map((n) => `${now - HOUR_MS}-${n}`),
    `${now - 60_000}-0`,
  ];
  const anHourAgo = new Date(now - HOUR_MS);

  it.each<[string, StartFrom, number]>([
    ['a span', '24h', 4],
    ['a longer span', '7d', 5],
    ['a shorter span', '10m', 1],
    ['a Date', anHourAgo, 4],
    ['an ISO text', anHourAgo.toISOString() as StartFrom, 4],
    ['a Date one millisecond later', new Date(now - HOUR_MS + 1), 1],
    ['a day long ago', '2001-01-01', 5],
    ['a Date in the future', new Date(now + HOUR_MS), 0],
  ])('as %s gets what was published since then, and all that comes', async (_, startFrom, old) => {
    const stream = freshName('orders');
    const got: unknown[] = [];
    for (const [n, id] of ids.entries())
      await redis.client.xadd(stream, id, 'name', stream, 'body', `${n}`);
    const app = await streamsApp(
      { connection: redis.url, group: 'billing' },
      { controllers: [handlerOf(stream, (data) => got.push(data), { startFrom })] },
    );
    await app.emit(stream, 'new');
    await waitFor(() => got.includes('new'));
    expect(got).toEqual([...[0, 1, 2, 3, 4].slice(5 - old), 'new']);
  });

  it.each(['yesterday', '24', '1w', '2026-03-01T08:00', '2026-13-01', new Date(Number.NaN), 24])(
    'refuses %s, and says what can be given',
    (startFrom) => {
      expect(() => subscription({ startFrom: startFrom as StartFrom })).toThrow(
        InvalidOptionsError,
      );
      expect(() => subscription({ startFrom: startFrom as StartFrom })).toThrow(/'24h'/);
    },
  );
});
