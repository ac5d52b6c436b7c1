import { DeadLetterException, RetryException } from '../errors/handler.errors.js';
import { DEFAULTS, type ResolvedRetry } from '../options/resolved-options.js';
import type { BackoffFunction } from '../options/subscription-options.js';
import * as text from './retry.messages.js';

/** What comes after a failed attempt: another one in so many ms, or none. */
export type NextStep =
  | { readonly kind: 'retry'; readonly delayMs: number }
  | { readonly kind: 'dead-letter'; readonly reason: string };

/**
 * Decides by policy, and by what was thrown.
 *
 * @param attempt the one that failed, from 1
 * @param random a number from 0 to 1
 */
export function nextStep(
  retry: ResolvedRetry,
  attempt: number,
  error: unknown,
  random = Math.random(),
): NextStep {
  if (error instanceof DeadLetterException) return { kind: 'dead-letter', reason: error.reason };
  if (attempt >= retry.maxAttempts) {
    return { kind: 'dead-letter', reason: text.attemptsUsedUp(attempt) };
  }
  if (error instanceof RetryException && isDelay(error.delayMs)) {
    return { kind: 'retry', delayMs: error.delayMs };
  }
  const delayMs = delayAfter(retry, attempt, error, random);
  if (delayMs === 'dead-letter') return { kind: 'dead-letter', reason: text.BACKOFF_SAID_SO };
  return { kind: 'retry', delayMs };
}

function delayAfter(
  { backoff }: ResolvedRetry,
  attempt: number,
  error: unknown,
  random: number,
): number | 'dead-letter' {
  if (typeof backoff === 'function') return ask(backoff, attempt, error);
  const { type, delayMs, maxDelayMs, jitter } = backoff;
  const grown = {
    fixed: delayMs,
    linear: delayMs * attempt,
    // From 2 to the 40th on any longest wait is reached, and a number stays finite.
    exponential: delayMs * 2 ** Math.min(attempt - 1, 40),
  }[type];
  return Math.round(Math.min(maxDelayMs, grown) * (1 + jitter * (2 * random - 1)));
}

/** A policy that throws or gives no time must not lose the message: it waits as long as any does. */
function ask(backoff: BackoffFunction, attempt: number, error: unknown): number | 'dead-letter' {
  try {
    const answer = backoff(attempt, error);
    if (answer === 'dead-letter' || isDelay(answer)) return answer;
  } catch {
    // Its own fault is no reason to give the message up.
  }
  return DEFAULTS.backoff.maxDelayMs;
}

/** Whether a number can be waited for: what handlers and policies give is theirs to get wrong. */
const isDelay = (delayMs: unknown): delayMs is number =>
  typeof delayMs === 'number' && Number.isFinite(delayMs) && delayMs >= 0;
