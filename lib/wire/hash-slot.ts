import { InvalidStreamNameError } from '../errors/options.errors.js';

/** The hash tag of a key: the text in its first pair of braces, if there is any. A cluster hashes only that. */
const tagOf = (key: string): string | undefined => /^[^{]*\{([^}]+)\}/.exec(key)?.[1];

/**
 * A stream's key as a part of its other keys, so that all share a hash slot: unchanged if it has a hash tag, else in braces.
 *
 * @throws InvalidStreamNameError if braces would put the keys into different slots
 */
export function hashTagged(streamKey: string): string {
  if (streamKey === '') throw new InvalidStreamNameError(streamKey);
  if (tagOf(streamKey) !== undefined) return streamKey;
  if (streamKey.includes('}')) throw new InvalidStreamNameError(streamKey);
  return `{${streamKey}}`;
}

const SLOTS = 16_384;

/** The slot in which a cluster keeps a key. */
export function hashSlot(key: string): number {
  let sum = 0;
  for (const byte of Buffer.from(tagOf(key) ?? key)) sum = addBits(sum ^ (byte << 8));
  return sum % SLOTS;
}

/** Eight bits of CRC16 as Redis computes it (XMODEM). */
function addBits(sum: number): number {
  let next = sum;
  for (let bit = 0; bit < 8; bit++) {
    next = (next & 0x8000) === 0 ? next << 1 : (next << 1) ^ 0x1021;
  }
  return next & 0xffff;
}
