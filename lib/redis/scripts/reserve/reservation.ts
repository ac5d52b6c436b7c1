import { UnexpectedReplyError } from '../../../errors/redis.errors.js';
import { parseText } from '../../read/replies.js';

/**
 * What became of one entry: run it; it ran already; another run of its message is under way; of a partition, it is not
 * its turn, or not ours to run it.
 */
export interface Reservation {
  readonly kind: 'new' | 'duplicate' | 'leased-elsewhere' | 'postponed';
  /** Which attempt it will be, from 1. */
  readonly attempt: number;
  /** Whether nothing else may run in this process meanwhile: it came back from runs that did not come to their end. */
  readonly alone: boolean;
}

const KINDS: Record<string, Reservation['kind']> = {
  n: 'new',
  a: 'new',
  d: 'duplicate',
  e: 'leased-elsewhere',
  p: 'postponed',
};

/** What nearly all get. */
export const FIRST: Reservation = { kind: 'new', attempt: 1, alone: false };

/**
 * One letter for each entry, and the number of its attempt where that is not 1.
 *
 * @throws UnexpectedReplyError
 */
export function parseReservations(reply: unknown, command: string): Reservation[] {
  return (parseText(reply, command).match(/[a-z]\d*/g) ?? []).map((answer) => {
    if (answer === 'n') return FIRST;
    const letter = answer.charAt(0);
    const kind = KINDS[letter];
    if (kind === undefined) throw new UnexpectedReplyError(command);
    return { kind, attempt: Number(answer.slice(1)) || 1, alone: letter === 'a' };
  });
}
