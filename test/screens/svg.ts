const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

export const FONT = 'ui-sans-serif, system-ui, "DejaVu Sans", sans-serif';
const MONO = 'monospace';

/** Text at a position, with size and colour. */
export const label = (
  [x, y]: readonly [number, number],
  text: string,
  { size = 11, fill = '#9fa7b3', anchor = 'start' } = {},
): string =>
  `<text x="${x}" y="${y}" font-size="${size}" fill="${fill}" text-anchor="${anchor}">${escaped(text)}</text>`;

/** A whole picture. */
export const picture = (width: number, height: number, parts: readonly string[]): string =>
  [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family='${FONT}'>`,
    `<rect width="${width}" height="${height}" rx="6" fill="#111217"/>`,
    ...parts,
    '</svg>',
    '',
  ].join('\n');

/** Lines with this beginning. */
const COLOUR_OF: Readonly<Record<string, string>> = { ERROR: '#f2726f', WARNING: '#e5ac0e' };
const [CHAR, LINE, EDGE] = [7.83, 18, 16];

/** What a terminal of 80 columns showed, below the typed command. */
export function terminalPicture(typed: string, output: string): string {
  const lines = [`$ ${typed}`, ...output.replace(/\s+$/, '').split('\n')];
  const columns = Math.max(80, ...lines.map((line) => line.length));
  const rows = lines.map((line, at) => {
    const fill = at === 0 ? '#7eb26d' : (COLOUR_OF[line.split(' ', 1)[0] ?? ''] ?? '#d8d9da');
    const y = EDGE + LINE * (at + 0.75);
    return `<text x="${EDGE}" y="${y}" font-size="13" fill="${fill}" font-family='${MONO}' xml:space="preserve">${escaped(line)}</text>`;
  });
  const size = [Math.ceil(columns * CHAR + 2 * EDGE), lines.length * LINE + 2 * EDGE] as const;
  return picture(
    ...size,
    rows.filter((_, at) => lines[at] !== ''),
  );
}
