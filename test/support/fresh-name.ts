import { randomBytes } from 'node:crypto';

/** A name that no other test uses, for a stream, a group or anything else: `orders-3f9c1a07`. */
export function freshName(kind: string): string {
  return `${kind}-${randomBytes(4).toString('hex')}`;
}

/** A `keyPrefix` that no other test uses, so that many tests can share one Redis: `test-3f9c1a07:`. */
export function freshPrefix(): string {
  return `${freshName('test')}:`;
}
