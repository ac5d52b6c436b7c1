import { InvalidStreamNameError } from '../errors/redis-streams.error.js';

/** The hash tag of a key: the text in its first pair of braces, if there is any. A cluster hashes only that. */
function tagOf(key: string): string | undefined {
  const open = key.indexOf('{');
  const close = open < 0 ? -1 : key.indexOf('}', open + 1);
  return close > open + 1 ? key.slice(open + 1, close) : undefined;
}

/**
 * Where the first braces with text between them end. Anybody can choose a key: a regular expression that tries all pairs of braces
 * takes cubic time.
 */
export function endOfTag(key: string): number | undefined {
  for (let open = key.indexOf('{'); open >= 0; open = key.indexOf('{', open + 1)) {
    const close = key.indexOf('}', open + 1);
    if (close < 0) return undefined;
    if (close > open + 1) return close + 1;
  }
  return undefined;
}

/**
 * A stream's key as a part of its other keys, so that all share a hash slot: unchanged if it has a hash tag, else in braces.
 *
 * @throws InvalidStreamNameError if braces would put the keys into different slots
 */
export function hashTagged(key: string): string {
  if (key === '' || /\p{Surrogate}/u.test(key)) throw new InvalidStreamNameError(key);
  if (tagOf(key) !== undefined) return key;
  if (key.includes('}')) throw new InvalidStreamNameError(key);
  return `{${key}}`;
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
