/** What the messages of these tests carry: their number, and the key whose order counts. */
export interface Body {
  readonly n: number;
  readonly key: string;
}

/** Numbered from `from` on, spread over so many keys. */
export const bodies = (count: number, { keys = 3, from = 0 } = {}): Body[] =>
  Array.from({ length: count }, (_, at) => ({ n: from + at, key: `k${(from + at) % keys}` }));
