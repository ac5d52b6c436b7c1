import { median } from '../measure/statistics.js';
import type { Curve, Figure } from './figure.js';
import { isMet } from './figure.js';
import { figureText, valueText } from './figure-text.js';
import { line, rect, svg, text, WIDTH } from './svg.js';

const LEFT = 264;
const RIGHT = WIDTH - 150;
const ROW = 30;
const TOP = 44;

interface ChartRow {
  readonly label: string;
  readonly value: number;
  readonly spread: readonly [from: number, to: number];
  readonly text: string;
  readonly kind: 'bar' | 'other' | 'missed';
}

/** Bars of the figures of each side, starting at zero, with the spread of the runs. */
export function barChart(title: string, figures: readonly Figure[], ours: RegExp): string {
  const rows = figures.map(({ label, unit, values }): ChartRow => {
    const value = median(values);
    const spread = [Math.min(...values), Math.max(...values)] as const;
    const kind = ours.test(label) ? 'bar' : 'other';
    return { label, value, spread, text: valueText(unit, value), kind };
  });
  return svg(title, TOP + rows.length * ROW + 14, drawn(rows));
}

/** How close each figure is to its target: the line is at 1, and right of it the target is met. */
export function targetChart(
  title: string,
  figures: readonly (readonly [label: string, figure: Figure])[],
): string {
  const rows = figures.flatMap(([label, figure]): ChartRow[] => {
    const { bar, values } = figure;
    if (bar === undefined) return [];
    const reached = (value: number): number =>
      'atLeast' in bar ? value / bar.atLeast : bar.atMost / Math.max(value, bar.atMost / 2);
    const capped = (value: number): number => Math.min(2, reached(value));
    const ends = [capped(Math.min(...values)), capped(Math.max(...values))] as const;
    return [
      {
        label,
        value: capped(median(values)),
        spread: [Math.min(...ends), Math.max(...ends)],
        text: `${figureText(figure).middle} (${figureText(figure).bar})`,
        kind: isMet(figure) === false ? 'missed' : 'bar',
      },
    ];
  });
  const height = TOP + rows.length * ROW + 14;
  const one = LEFT + (RIGHT - LEFT) / 2;
  return svg(title, height, [
    ...drawn(rows, 2),
    text(one, TOP - 12, 'target', 'class="small" text-anchor="middle"'),
    line([
      [one, TOP - 6],
      [one, height - 10],
    ]),
  ]);
}

function drawn(
  rows: readonly ChartRow[],
  most = Math.max(...rows.map(({ spread }) => spread[1])),
): string[] {
  const x = (value: number): number => LEFT + ((RIGHT - LEFT) * Math.max(0, value)) / most;
  return rows.flatMap(({ label, value, spread, text: content, kind }, n) => {
    const y = TOP + n * ROW;
    const middle = y + ROW / 2 - 4;
    return [
      text(LEFT - 10, middle + 4, label, 'text-anchor="end"'),
      rect(LEFT, y, x(value) - LEFT, ROW - 8, kind),
      line([
        [x(spread[0]), middle],
        [x(spread[1]), middle],
      ]),
      text(x(Math.max(value, spread[1])) + 8, middle + 4, content),
    ];
  });
}

const CURVE_HEIGHT = 260;

/** A line for the samples of one long run. */
export function curveChart(title: string, { across, up, points }: Curve): string {
  const [left, right, top, bottom] = [60, WIDTH - 24, 50, CURVE_HEIGHT - 44];
  const mostX = Math.max(...points.map(([x]) => x));
  const mostY = Math.max(...points.map(([, y]) => y)) * 1.1;
  const x = (value: number): number => left + ((right - left) * value) / mostX;
  const y = (value: number): number => bottom - ((bottom - top) * value) / mostY;
  return svg(title, CURVE_HEIGHT, [
    line([
      [left, top],
      [left, bottom],
      [right, bottom],
    ]),
    line(
      points.map(([px, py]) => [x(px), y(py)] as const),
      'curve',
    ),
    text(left - 8, top + 4, valueText('count', mostY), 'class="small" text-anchor="end"'),
    text(left - 8, bottom, '0', 'class="small" text-anchor="end"'),
    text(right, bottom + 18, valueText('count', mostX), 'class="small" text-anchor="end"'),
    text((left + right) / 2, bottom + 18, across, 'class="small" text-anchor="middle"'),
    text(left, top - 8, up, 'class="small"'),
  ]);
}
