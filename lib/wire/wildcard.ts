/** Whether a handler's stream is a wildcard: `*` stands for any run of characters, also for none. Nothing else is special. */
export const isWildcard = (stream: string): boolean => stream.includes('*');

/** @returns what says whether a stream's name, without `keyPrefix`, is one that `wildcard` means */
export function wildcardMatcher(wildcard: string): (stream: string) => boolean {
  const parts = wildcard.split('*');
  const [first = ''] = parts;
  const last = parts.at(-1) ?? '';
  const between = parts.slice(1, -1);
  // A regular expression may take very long for many stars; this looks at each character once.
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
 * A pattern for `MATCH` that finds the keys of all that some wildcards mean, and not many others: one walk through the keys
 * is for all of them, since it costs Redis as much as a walk for one.
 */
export function matchFor(keyPrefix: string, wildcards: readonly string[]): string {
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

const escaped = (text: string): string => text.replace(/[\\*?[\]^]/g, '\\$&');
