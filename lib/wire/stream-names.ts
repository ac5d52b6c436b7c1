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
