import { isDeepStrictEqual } from 'node:util';

import { isRedisReply } from '../../lib/redis/server/redis-errors.js';
import type { StreamKeys } from '../../lib/wire/stream-keys.js';
import type { State } from './state.js';

/** Keys that another program may replace; `position` is repaired, all others refuse the scripts that need them. */
export const BREAKABLE = [
  'retries',
  'attempts',
  'leases',
  'ledger',
  'packedLedger',
  'position',
] as const satisfies readonly (keyof StreamKeys)[];

export type Breakable = (typeof BREAKABLE)[number];

/** Where the content of a broken key is meanwhile. */
export const aside = (keys: StreamKeys, key: Breakable): string => `${keys[key]}:aside`;

/** A call was refused, as it may be while one of its keys holds another type. */
export class Refused extends Error {}

export const isWrongType = (error: unknown): boolean =>
  isRedisReply(error) && error.message.includes('WRONGTYPE');

/**
 * Yields each effect of a refused call that it must not have had: each row is as it was, or, in what may be changed partly, as the
 * whole call would have left it.
 */
export function* forbiddenEffects(
  before: State,
  found: State,
  whole: State,
  partly: readonly (keyof State)[],
) {
  for (const section of Object.keys(before) as (keyof State)[]) {
    const [was, is, would] = [before, found, whole].map(
      (state) => state[section] as unknown as Record<string, unknown>,
    ) as [Record<string, unknown>, Record<string, unknown>, Record<string, unknown>];
    for (const id of new Set([...Object.keys(was), ...Object.keys(is)])) {
      if (isDeepStrictEqual(is[id], was[id])) continue;
      if (partly.includes(section) && isDeepStrictEqual(is[id], would[id])) continue;
      yield `the refused call changed ${id} in ${section} from ${JSON.stringify(was[id])} to ${JSON.stringify(is[id])}`;
    }
  }
}
