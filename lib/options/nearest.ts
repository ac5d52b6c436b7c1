import { closest, distance } from 'fastest-levenshtein';

/** Options of ioredis that are often written beside `connection`. */
const OF_CONNECTION = new Set(['host', 'port', 'username', 'password', 'db', 'tls', 'sentinels']);

/** What to say of an option that is not known. @param known those that are */
export function noSuchOption(given: string, known: readonly string[]): string {
  const near =
    OF_CONNECTION.has(given) && known.includes('connection')
      ? `connection: { ${given} }`
      : nearest(given, known);
  const meant = near === undefined ? '' : `did you mean ${near}? `;
  return `nothing of this name; ${meant}known here: ${known.join(', ') || 'none'}`;
}

/** The name that `given` is most likely a typing error of, if any. */
export function nearest(given: string, known: readonly string[]): string | undefined {
  if (known.length === 0) return undefined;
  const near = closest(given.slice(0, 100), known);
  const most = Math.min(given.length, near.length) < 4 ? 1 : 2;
  const steps = distance(given.slice(0, 100).toLowerCase(), near.toLowerCase());
  return steps <= most ? near : undefined;
}
