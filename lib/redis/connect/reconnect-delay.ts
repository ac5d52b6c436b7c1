const FIRST_MS = 50;
const LONGEST_MS = 5_000;
const JITTER = 0.25;

/**
 * How long to wait before attempt number `attempt` (from 1), in ms: doubling up to 5 s, and spread by a quarter so
 * that a fleet does not come back in one moment. It never ends.
 */
export function reconnectDelayMs(attempt: number): number {
  const delayMs = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(attempt - 1, 10));
  return Math.round(delayMs * (1 - JITTER + 2 * JITTER * Math.random()));
}
