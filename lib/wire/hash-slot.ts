import { InvalidStreamNameError } from '../errors/invalid-stream-name.error.js';

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

const SLOTS = 16_384;

/** Where a cluster keeps a key: a number below 16 384, of what is in the first pair of braces where there is something. */
export function hashSlot(key: string): number {
  const open = key.indexOf('{');
  const close = key.indexOf('}', open + 1);
  const hashed = open >= 0 && close > open + 1 ? key.slice(open + 1, close) : key;
  let sum = 0;
  for (const byte of Buffer.from(hashed)) sum = step(sum ^ (byte << 8));
  return sum % SLOTS;
}

/** Eight bits of CRC16 as Redis computes it (XMODEM). */
function step(sum: number): number {
  let next = sum;
  for (let bit = 0; bit < 8; bit++) {
    next = (next & 0x8000) === 0 ? next << 1 : (next << 1) ^ 0x1021;
  }
  return next & 0xffff;
}
