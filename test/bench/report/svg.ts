/** The colours and sizes of a chart. GitHub shows pictures on a light page and on a dark one. */
const STYLE = `
  text { font: 13px system-ui, sans-serif; fill: #24292f }
  .title { font-weight: 600 }
  .small { font-size: 11px; fill: #57606a }
  .page { fill: #ffffff } .bar { fill: #0969da } .other { fill: #8c959f } .missed { fill: #cf222e }
  .line { stroke: #57606a; fill: none } .curve { stroke: #0969da; stroke-width: 2; fill: none }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .small { fill: #9198a1 } .page { fill: #0d1117 } .line { stroke: #9198a1 }
    .bar { fill: #4493f8 } .other { fill: #656c76 } .missed { fill: #f85149 } .curve { stroke: #4493f8 }
  }`;

export const WIDTH = 720;

/** A picture with a title, which is also its text alternative. */
export function svg(title: string, height: number, parts: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img">`,
    `<title>${escaped(title)}</title>`,
    `<style>${STYLE}\n</style>`,
    `<rect class="page" width="${WIDTH}" height="${height}" rx="6"/>`,
    text(16, 26, title, 'class="title"'),
    ...parts,
    '</svg>\n',
  ].join('\n');
}

export const text = (x: number, y: number, content: string, attributes = ''): string =>
  `<text x="${at(x)}" y="${at(y)}" ${attributes}>${escaped(content)}</text>`;

export const rect = (
  x: number,
  y: number,
  width: number,
  height: number,
  kind: 'bar' | 'other' | 'missed',
): string =>
  `<rect class="${kind}" x="${at(x)}" y="${at(y)}" width="${at(width)}" height="${at(height)}"/>`;

export const line = (
  points: readonly (readonly [x: number, y: number])[],
  kind: 'line' | 'curve' = 'line',
): string =>
  `<polyline class="${kind}" points="${points.map(([x, y]) => `${at(x)},${at(y)}`).join(' ')}"/>`;

const at = (value: number): string => String(Math.round(value * 10) / 10);

const escaped = (content: string): string =>
  content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
