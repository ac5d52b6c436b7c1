/** The payload of these tests: the number of the message, and the key whose order counts. */
export interface Body {
  readonly n: number;
  readonly key: string;
}

/** Numbered starting with `from`, spread over this many keys. */
export const bodies = (count: number, { keys = 3, from = 0 } = {}): Body[] =>
  Array.from({ length: count }, (_, at) => ({ n: from + at, key: `k${(from + at) % keys}` }));
