import type { Prometheus, Series } from './prometheus.js';
import { label, picture } from './svg.js';

/** What is drawn for a panel of the dashboard. */
export interface Panel {
  readonly type: string;
  readonly title: string;
  readonly gridPos: Readonly<Record<'x' | 'y' | 'w' | 'h', number>>;
  readonly fieldConfig: { readonly defaults: { readonly unit: string } };
  readonly targets: readonly { readonly expr: string; readonly legendFormat: string }[];
}

interface Line {
  readonly name: string;
  readonly points: Series['points'];
}

/** Grafana has 24 columns. */
const [CELL, ROW, GAP] = [54, 34, 8];
const COLOURS = [
  '#73bf69',
  '#f2cc0c',
  '#8ab8ff',
  '#ff780a',
  '#f2495c',
  '#5794f2',
  '#b877d9',
  '#7eb26d',
  '#fade2a',
  '#c0d8ff',
  '#ffa6b0',
  '#96d98d',
];
const LEGEND = 4;

/** The panels of the dashboard with Prometheus's answers, placed as Grafana would. */
export async function dashboardPicture(
  panels: readonly Panel[],
  prometheus: Prometheus,
  [from, to]: readonly [number, number],
): Promise<string> {
  const drawn: string[] = [];
  for (const panel of panels) {
    const lines: Line[] = [];
    for (const { expr, legendFormat } of panel.targets) {
      const asked = expr
        .replaceAll('$__rate_interval', '15s')
        .replaceAll(/\$(?:stream|group)/g, '.*');
      for (const { labels, points } of await prometheus.range(asked, from, to)) {
        const name = legendFormat.replaceAll(/{{(\w+)}}/g, (_, key: string) => labels[key] ?? '');
        lines.push({ name, points: points.filter(([, value]) => Number.isFinite(value)) });
      }
    }
    drawn.push(panelPicture(panel, lines, from, to));
  }
  const height = Math.max(...panels.map(({ gridPos }) => gridPos.y + gridPos.h)) * ROW;
  return picture(24 * CELL + GAP, height + GAP, drawn);
}

function panelPicture(
  { type, title, gridPos, fieldConfig }: Panel,
  lines: readonly Line[],
  from: number,
  to: number,
): string {
  const { unit } = fieldConfig.defaults;
  const [width, height] = [gridPos.w * CELL - GAP, gridPos.h * ROW - GAP];
  const inside =
    type === 'stat'
      ? [statOf(lines, unit, width, height)]
      : graphOf(lines, unit, [width, height], [from, to]);
  return [
    `<g transform="translate(${gridPos.x * CELL + GAP} ${gridPos.y * ROW + GAP})">`,
    `<rect width="${width}" height="${height}" rx="3" fill="#181b1f" stroke="#25282d"/>`,
    label([10, 20], title, { size: 12, fill: '#d8d9da' }),
    ...inside,
    '</g>',
  ].join('\n');
}

function statOf(lines: readonly Line[], unit: string, width: number, height: number): string {
  const last = lines[0]?.points.at(-1)?.[1];
  const text = last === undefined ? 'No data' : textOf(last, unit);
  const place = [width / 2, height / 2 + 26] as const;
  return label(place, text, { size: 40, fill: '#73bf69', anchor: 'middle' });
}

function graphOf(
  lines: readonly Line[],
  unit: string,
  [width, height]: readonly [number, number],
  [from, to]: readonly [number, number],
): string[] {
  const [left, right, top] = [56, width - 12, 34];
  const bottom = height - 28 - Math.ceil(Math.min(lines.length, LEGEND * 2) / 2) * 15;
  const most = niceAbove(Math.max(0, ...lines.flatMap(({ points }) => points.map(([, v]) => v))));
  const x = (at: number): number => left + ((at - from) / (to - from)) * (right - left);
  const y = (value: number): number => bottom - (value / most) * (bottom - top);
  const grid = [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const at = y(share * most);
    const text = label([left - 6, at + 4], textOf(share * most, unit), { size: 10, anchor: 'end' });
    return `<path d="M${left} ${at.toFixed(1)}H${right}" stroke="#2c3036"/>${text}`;
  });
  const times: string[] = [];
  for (let at = from; at <= to; at += 60) {
    const text = new Date(at * 1_000).toISOString().slice(11, 16);
    times.push(label([x(at), bottom + 14], text, { size: 10, anchor: 'middle' }));
  }
  const paths = lines.map(({ points }, at) => {
    const d = points.map(
      ([t, v], n) => `${n === 0 ? 'M' : 'L'}${x(t).toFixed(1)} ${y(v).toFixed(1)}`,
    );
    return `<path d="${d.join('')}" fill="none" stroke="${colour(at)}" stroke-width="1.3"/>`;
  });
  const names = lines.slice(0, LEGEND * 2).map(({ name }, at) => {
    const place = [10 + (at % 2) * (width / 2), bottom + 31 + Math.floor(at / 2) * 15] as const;
    const more = lines.length - LEGEND * 2;
    const isLast = at === LEGEND * 2 - 1 && more > 0;
    const box = `<rect x="${place[0]}" y="${place[1] - 6}" width="10" height="3" fill="${colour(at)}"/>`;
    return box + label([place[0] + 15, place[1]], isLast ? `${name} (${more} more)` : name);
  });
  const empty = label([width / 2, height / 2], 'No data', { size: 14, anchor: 'middle' });
  return lines.length === 0 ? [empty] : [...grid, ...times, ...paths, ...names];
}

const colour = (at: number): string => COLOURS[at % COLOURS.length] ?? '#fff';

/** A round number that is no smaller. */
function niceAbove(value: number): number {
  if (value <= 0) return 1;
  const unit = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 4, 5, 10].find((step) => step * unit >= value) ?? 10) * unit;
}

function textOf(value: number, unit: string): string {
  const short = (number: number): string => String(Number(number.toPrecision(3)));
  if (unit === 'percentunit') return `${short(value * 100)}%`;
  if (unit === 's')
    return value < 1 && value > 0 ? `${short(value * 1_000)} ms` : `${short(value)} s`;
  const text = value >= 1_000 ? `${short(value / 1_000)} K` : short(value);
  return unit === 'ops' ? `${text} ops/s` : text;
}
