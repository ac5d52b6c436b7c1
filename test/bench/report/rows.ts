import { median } from '../measure/statistics.js';
import type { ResultRow } from './scenario-result.js';

/** A row of figures, one for each run. */
export function figures(
  label: string,
  values: readonly number[],
  text: (value: number) => string,
): ResultRow {
  return {
    label,
    middle: text(median(values)),
    spread: `${text(Math.min(...values))} – ${text(Math.max(...values))}`,
  };
}

/** Ours against theirs, run by run: what else the machine did in that moment met both. */
export function ratio(
  label: string,
  ours: readonly number[],
  theirs: readonly number[],
  bar?: { readonly atLeast: number } | { readonly atMost: number },
): ResultRow {
  const each = ours.map((figure, run) => figure / (theirs[run] ?? NaN));
  const value = median(each);
  const row = figures(label, each, twoDigits);
  if (bar === undefined) return row;
  return 'atLeast' in bar
    ? { ...row, bar: { text: `≥ ${twoDigits(bar.atLeast)}`, met: value >= bar.atLeast } }
    : { ...row, bar: { text: `≤ ${twoDigits(bar.atMost)}`, met: value <= bar.atMost } };
}

const twoDigits = (value: number): string => value.toFixed(2);

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

export const perSecond = (rate: number): string => `${whole.format(rate).replaceAll(',', ' ')}/s`;

export const milliseconds = (ms: number): string => `${ms.toFixed(2)} ms`;
