const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
] as const;

/** A duration for people, in at most two units: `3d 4h`, `12s`, `240ms`. */
export function spanText(ms: number): string {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))}ms`;
  const from = UNITS.findIndex(([, size]) => ms >= size);
  const [unit, size] = UNITS[from] ?? ['s', 1_000];
  const [next, small] = UNITS[from + 1] ?? [undefined, 1];
  const first = `${Math.floor(ms / size)}${unit}`;
  const rest = Math.floor((ms % size) / small);
  return next === undefined || rest === 0 ? first : `${first} ${rest}${next}`;
}

/** When something is due, in so many ms. */
export const dueText = (inMs: number): string => (inMs <= 0 ? 'now' : `in ${spanText(inMs)}`);

/** A Redis time as text. */
export const timeText = (ms: number | undefined): string | undefined =>
  ms === undefined || !Number.isFinite(ms) || Math.abs(ms) > 8.64e15
    ? undefined
    : new Date(ms).toISOString();
