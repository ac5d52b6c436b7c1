import type { StartFrom } from './subscription-options.js';

/** What can be given as a start, for error texts. */
export const STARTS =
  "'latest', 'beginning', an entry ID such as '1729768245123-0', a Date, its ISO text such as '2026-03-01T08:00:00Z', or how long ago, such as '24h'";

const ENTRY_ID = /^\d{1,20}-\d{1,20}$/;
/** Without an offset, a time of day would mean another moment on each machine. */
const ISO = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2}))?$/;
const SPAN = /^(\d{1,15})(ms|s|m|h|d)$/;
const UNIT_MS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const ENDS: Record<string, string> = { latest: '$', beginning: '0' };

/** Both numbers of an entry ID take 64 bits. */
const MOST_IN_ID = 2n ** 64n - 1n;

/** A duration such as `30s`, `15m` or `7d` in ms; undefined if it is none. */
export function spanMs(given: string): number | undefined {
  const [, count, unit = ''] = SPAN.exec(given) ?? [];
  const ms = Number(count) * (UNIT_MS[unit] ?? Number.NaN);
  return Number.isSafeInteger(ms) ? ms : undefined;
}

/**
 * Where a group begins, as scripts take it: `$`, `0`, the entry ID after which it reads, or `-` and a number of ms before now.
 *
 * @returns undefined if it is nothing of that
 */
export function startPosition(from: StartFrom | (string & {})): string | undefined {
  if (typeof from !== 'string') return beforeTime(from.getTime());
  const end = ENDS[from];
  if (end !== undefined) return end;
  if (ENTRY_ID.test(from)) {
    return from.split('-').every((part) => BigInt(part) <= MOST_IN_ID) ? from : undefined;
  }
  const ago = spanMs(from);
  if (ago !== undefined) return `-${ago}`;
  return ISO.test(from) ? beforeTime(Date.parse(from)) : undefined;
}

/** After the last ID that comes before this time, so that all entries of its millisecond are read. */
export function beforeTime(ms: number): string | undefined {
  if (!Number.isFinite(ms)) return undefined;
  return ms <= 0 ? ENDS['beginning'] : `${Math.ceil(ms) - 1}-${MOST_IN_ID}`;
}
