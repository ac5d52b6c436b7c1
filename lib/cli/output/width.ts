const DOTS = '…';

/**
 * How many columns of a terminal a text takes at the most. Beyond the letters of Latin, Greek and their like, signs are taken for two
 * columns wide: a table that is too narrow by a little is no harm.
 */
export function widthOf(text: string): number {
  let width = 0;
  for (const sign of text) width += (sign.codePointAt(0) ?? 0) < 0x1100 ? 1 : 2;
  return width;
}

/** What is cut of a text that is too wide: its end, or its middle where both ends tell it from others. */
export type CutAt = 'end' | 'middle';

/** A text in no more than `width` columns; three dots say that something was cut. */
export function cut(text: string, width: number, at: CutAt = 'end'): string {
  if (widthOf(text) <= width) return text;
  const signs = [...text];
  const room = width - widthOf(DOTS);
  const tail = at === 'end' ? 0 : Math.ceil(room / 2);
  let [from, left] = [signs.length, tail];
  while ((left -= widthOf(signs[from - 1] ?? '')) >= 0) from -= 1;
  let to = 0;
  left = room - tail;
  while ((left -= widthOf(signs[to] ?? '')) >= 0) to += 1;
  return `${signs.slice(0, to).join('')}${DOTS}${signs.slice(from).join('')}`;
}
