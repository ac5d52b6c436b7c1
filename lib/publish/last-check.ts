/** The last check of a stream. */
export interface LastCheck {
  /** The stream's token in the list at that time; `undefined` if it was not listed. Whoever adds a message changes it. */
  readonly token: string | undefined;
  /** When to check again if the token stays the same, by `performance.now()`. */
  readonly nextAt: number;
  /** `foreign`: only the list names the stream, and Redis refuses it. */
  readonly found: 'some' | 'nothing' | 'refusal' | 'foreign';
}

/** Whether a stream has to be checked again. `token` is the one it has in the list now. */
export function isDue(
  last: LastCheck | undefined,
  token: string | undefined,
  now: number,
): boolean {
  if (last === undefined || last.nextAt <= now) return true;
  return last.found !== 'foreign' && token !== undefined && token !== last.token;
}
