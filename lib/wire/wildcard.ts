/** Whether a handler's stream is a wildcard. `*` stands for any characters, or none; no other character is special. */
export const isWildcard = (stream: string): boolean => stream.includes('*');

/** @returns a function that tells whether `wildcard` matches a stream's name, without `keyPrefix` */
export function wildcardMatcher(wildcard: string): (stream: string) => boolean {
  const parts = wildcard.split('*');
  const [first = ''] = parts;
  const last = parts.at(-1) ?? '';
  const between = parts.slice(1, -1);
  // With many stars a regular expression could take very long. This looks at each character once.
  return (stream) => {
    const end = stream.length - last.length;
    if (!stream.startsWith(first) || !stream.endsWith(last)) return false;
    let at = first.length;
    for (const part of between) {
      const found = stream.indexOf(part, at);
      if (found < 0) return false;
      at = found + part.length;
    }
    return at <= end;
  };
}

/**
 * A pattern for `SCAN … MATCH` that finds the keys of several wildcards, and few others. One scan serves all wildcards, since
 * a scan costs Redis the same for one.
 */
export function keyPattern(keyPrefix: string, wildcards: readonly string[]): string {
  const [only = ''] = wildcards;
  const glob = wildcards.length === 1 ? only : `${commonStart(wildcards)}*`;
  return escaped(keyPrefix) + glob.split('*').map(escaped).join('*');
}

function commonStart(wildcards: readonly string[]): string {
  const starts = wildcards.map((wildcard) => wildcard.slice(0, wildcard.indexOf('*')));
  return starts.reduce((common, start) => {
    let same = 0;
    while (same < common.length && common[same] === start[same]) same++;
    return common.slice(0, same);
  });
}

/** Escapes what a pattern of Redis would not take literally. */
const escaped = (text: string): string => text.replace(/[\\*?[\]^]/g, '\\$&');
