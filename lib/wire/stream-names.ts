import { InvalidStreamNameError } from '../errors/redis-streams.error.js';
import { partitionIn, partitionName } from './partitions.js';
import { isOwnKey } from './stream-keys.js';

/**
 * Refuses the name of a stream whose keys would be those of something else as well (decision 29).
 *
 * @param partitioned the streams that have partitions
 * @throws InvalidStreamNameError
 */
export function requireKeysOfItsOwn(
  keyPrefix: string,
  stream: string,
  partitioned: Pick<ReadonlyMap<string, number>, 'has'>,
): void {
  const key = keyPrefix + stream;
  // Reading dead letters shares nothing: it is the same stream.
  if (isOwnKey(key) && !key.endsWith(':dead-letters')) {
    throw new InvalidStreamNameError(stream, `this package keeps the key "${key}" for itself`);
  }
  const inner = /^\{([^{}]+)\}$/.exec(key)?.[1];
  if (inner !== undefined && partitionIn(key) === undefined) {
    throw new InvalidStreamNameError(
      stream,
      `its other keys would be those of the stream "${inner}": use that name, which has the same hash slot`,
    );
  }
  const partition = partitionIn(`{${key}}`);
  if (partition !== undefined && keyPrefix === '' && partitioned.has(partition.stream)) {
    const name = partitionName(partition.stream, partition.partition);
    throw new InvalidStreamNameError(
      stream,
      `its other keys would be those of "${name}", a partition of "${partition.stream}": give one of the two another name`,
    );
  }
}

/**
 * Whether the keys of a group with this name can be told from those of other streams and groups: the stream "{a}:group:b" with the
 * group "c" would have the keys of the stream "a" with the group "b:group:c", and a job of the one group the key of another's.
 */
export const isGroupName = (group: string): boolean => !/(?:^|:)(?:group|jobs):/.test(group);

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
