import { median } from '../measure/statistics.js';

export type Unit = 'per second' | 'rate' | 'ms' | 'us' | 'times' | 'percent' | 'MB' | 'count';

/** The target of a figure. */
export type Bar = { readonly atLeast: number } | { readonly atMost: number };

/** A figure, with the values of each run. */
export interface Figure {
  readonly label: string;
  readonly unit: Unit;
  readonly values: readonly number[];
  readonly bar?: Bar;
}

export interface ScenarioResult {
  readonly title: string;
  readonly figures: readonly Figure[];
  /** The samples of one long run. */
  readonly curve?: Curve;
}

export interface Curve {
  readonly across: string;
  readonly up: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

/** Figures of one kind, by what was measured on each side. */
export const figure = (
  label: string,
  unit: Unit,
  values: readonly number[],
  bar?: Bar,
): Figure => ({ label, unit, values, ...(bar === undefined ? {} : { bar }) });

/** Ours divided by theirs, run by run: other load at that moment affected both. */
export const ratio = (
  label: string,
  ours: readonly number[],
  theirs: readonly number[],
  bar?: Bar,
): Figure =>
  figure(
    label,
    'times',
    ours.map((value, run) => value / (theirs[run] ?? NaN)),
    bar,
  );

export function isMet({ values, bar }: Figure): boolean | undefined {
  if (bar === undefined) return undefined;
  return 'atLeast' in bar ? median(values) >= bar.atLeast : median(values) <= bar.atMost;
}
