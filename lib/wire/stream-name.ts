import { InvalidStreamNameError } from '../errors/options.errors.js';

/** What Redis Cluster hashes of a key: the text in its first pair of braces, where there is any. */
const ownTag = (key: string): string | undefined => /^[^{]*\{([^}]+)\}/.exec(key)?.[1];

/**
 * The part of a stream's other keys that keeps them in the stream's hash slot: the key itself where it has a
 * hash tag of its own, else the key in braces.
 *
 * @throws InvalidStreamNameError where braces would put the keys into different slots
 */
export function hashTagged(streamKey: string): string {
  if (streamKey === '') throw new InvalidStreamNameError(streamKey);
  if (ownTag(streamKey) !== undefined) return streamKey;
  if (streamKey.includes('}')) throw new InvalidStreamNameError(streamKey);
  return `{${streamKey}}`;
}
