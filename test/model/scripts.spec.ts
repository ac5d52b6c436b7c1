/**
 * The scripts compared with a plain model of them: random steps by three consumers of one group. After each
 * step everything in Redis is compared with the model and with the invariants.
 *
 * A failure prints its seed and path, and lists the fewest steps that show it. To repeat it:
 *
 *     MODEL_SEED=-1234 MODEL_PATH=17:3:1 npm test -- test/model
 *
 * MODEL_RUNS is how many lists of steps are tried, in all variants together; 500 unless set.
 */
import { describe, expect, it } from '@jest/globals';
import { assert, asyncProperty } from 'fast-check';

import { DEFAULTS, type ResolvedSubscription } from '../../lib/options/resolved-options.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { Group } from './group.js';
import { LONG_MS } from './state.js';
import { anySteps, take } from './steps.js';

const { MODEL_RUNS = '500', MODEL_SEED, MODEL_PATH } = process.env;

const dedup = { windowMs: LONG_MS };
const VARIANTS: Record<string, Partial<ResolvedSubscription> & { readonly share: number }> = {
  'with a ledger': { dedup, share: 0.6 },
  'without a ledger': { dedup: false, share: 0.2 },
  'at most once': { dedup, delivery: 'at-most-once', share: 0.2 },
};

describe('the scripts do what the model says', () => {
  const redis = redisForTests();

  it.each(Object.entries(VARIANTS))(
    '%s, whatever several consumers do',
    async (_name, { share, ...options }) => {
      let steps = 0;
      await assert(
        asyncProperty(anySteps, async (list) => {
          const group = await Group.make(redis.client, { ...DEFAULTS.subscription, ...options });
          try {
            for (const step of list) await take(group, step);
            steps += list.length;
          } finally {
            await group.remove();
          }
        }),
        {
          numRuns: Math.ceil(Number(MODEL_RUNS) * share),
          ...(MODEL_SEED === undefined ? {} : { seed: Number(MODEL_SEED) }),
          ...(MODEL_PATH === undefined ? {} : { path: MODEL_PATH }),
        },
      );
      expect(steps).toBeGreaterThan(0);
    },
    600_000,
  );
});
