import { InvalidArgumentError } from 'commander';
import * as text from './cli.messages.js';

const UNIT_MS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `30s`, `15m`, `7d` … as ms. */
export function parseSpan(given: string): number {
  const [, count, unit = ''] = /^(\d{1,15})(ms|s|m|h|d)$/.exec(given) ?? [];
  const ms = Number(count) * (UNIT_MS[unit] ?? Number.NaN);
  if (!Number.isSafeInteger(ms))
    throw new InvalidArgumentError(text.notANumber(given, text.NOT_A_SPAN));
  return ms;
}

/** A parser of whole numbers from `min` to `max`. */
export const wholeNumber =
  (min: number, max = Number.MAX_SAFE_INTEGER) =>
  (given: string): number => {
    const number = /^\d+$/.test(given) ? Number(given) : Number.NaN;
    if (number >= min && number <= max) return number;
    const upTo = max === Number.MAX_SAFE_INTEGER ? 'or more' : `to ${max}`;
    throw new InvalidArgumentError(text.notANumber(given, `a whole number, ${min} ${upTo}`));
  };

/** An entry's ID, whole. */
export function parseEntryId(given: string): string {
  if (/^\d{1,20}-\d{1,20}$/.test(given)) return given;
  throw new InvalidArgumentError(text.notANumber(given, text.NOT_AN_ENTRY_ID));
}

/** A dead letter's ID, which says its partition where its stream has any. */
export function parseDeadLetterId(given: string): string {
  if (/^(\d{1,4}:)?\d{1,20}-\d{1,20}$/.test(given)) return given;
  throw new InvalidArgumentError(text.notANumber(given, text.NOT_A_DEAD_LETTER_ID));
}

/** For options that may be given several times. */
export const collect = (given: string, before: readonly string[] = []): string[] => [
  ...before,
  given,
];
