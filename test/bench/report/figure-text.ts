import { median } from '../measure/statistics.js';
import { type Figure, isMet, type Unit } from './figure.js';

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const grouped = (value: number): string => whole.format(value).replaceAll(',', ' ');

const TEXT: Record<Unit, (value: number) => string> = {
  'per second': (value) => `${grouped(value)}/s`,
  rate: (value) => `${value.toFixed(2)}/s`,
  ms: (value) => `${value.toFixed(2)} ms`,
  us: (value) => `${value.toFixed(2)} µs`,
  times: (value) => value.toFixed(2),
  percent: (value) => `${value.toFixed(2)} %`,
  MB: (value) => `${value.toFixed(1)} MB`,
  count: (value) => grouped(value),
};

export const valueText = (unit: Unit, value: number): string => TEXT[unit](value);

/** The figure in words: its median, the spread of the runs, its target, and whether it is met. */
export interface FigureText {
  readonly label: string;
  readonly middle: string;
  readonly spread: string;
  readonly bar: string;
  readonly met: '' | 'met' | 'missed';
}

export function figureText(figure: Figure): FigureText {
  const { label, unit, values, bar } = figure;
  const text = TEXT[unit];
  const met = isMet(figure);
  return {
    label,
    middle: text(median(values)),
    spread:
      values.length > 1 ? `${text(Math.min(...values))} – ${text(Math.max(...values))}` : 'one run',
    bar:
      bar === undefined
        ? ''
        : 'atLeast' in bar
          ? `≥ ${text(bar.atLeast)}`
          : `≤ ${text(bar.atMost)}`,
    met: met === undefined ? '' : met ? 'met' : 'missed',
  };
}
