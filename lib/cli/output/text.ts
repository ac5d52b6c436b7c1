import { visible } from '../../errors/thrown.js';

/** What is longer is not indented: with a line for each value it could take a hundred times as much. */
const LONGEST_INDENTED = 262_144;

/** JSON for programs that a terminal can show safely, too. */
export function jsonText(value: unknown, indent?: number): string {
  const json = JSON.stringify(value, bytesAsBase64);
  if (indent === undefined || json.length > LONGEST_INDENTED) return visible(json);
  return JSON.stringify(value, bytesAsBase64, indent).split('\n').map(visible).join('\n');
}

const MOST_LEVELS = 100;

/** Whether a payload can be shown as JSON. If it has many levels, no program could print it: show its fields as they are. */
export const isShowable = (payload: unknown, levels = MOST_LEVELS): boolean =>
  typeof payload !== 'object' ||
  payload === null ||
  payload instanceof Uint8Array ||
  (levels > 0 && Object.values(payload).every((value) => isShowable(value, levels - 1)));

// Buffer's own JSON has a number for each byte.
function bytesAsBase64(this: unknown, key: string, value: unknown): unknown {
  const own: unknown = typeof this === 'object' && this !== null ? Reflect.get(this, key) : value;
  if (own instanceof Uint8Array) return { base64: Buffer.from(own).toString('base64') };
  return value;
}

/** `1 stream`, `2 streams`. */
export const counted = (count: number, what: string): string =>
  `${count} ${what}${count === 1 ? '' : 's'}`;

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

/**
 * How many terminal columns a text takes at most. Beyond the Latin, Greek and similar alphabets every character counts as two
 * columns wide: a table that is a little too narrow does no harm.
 */
export function widthOf(text: string): number {
  let width = 0;
  for (const character of text) width += (character.codePointAt(0) ?? 0) < 0x1100 ? 1 : 2;
  return width;
}

/** Breaks text between words into lines of at most `width` columns. A longer word stays whole, so that it can be copied. */
export function wrapped(text: string, width: number, indent = ''): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    const longer = line === '' ? indent + word : `${line} ${word}`;
    if (line !== '' && widthOf(longer) > width) {
      lines.push(line);
      line = indent + word;
    } else {
      line = longer;
    }
  }
  return [...lines, line].join('\n');
}
