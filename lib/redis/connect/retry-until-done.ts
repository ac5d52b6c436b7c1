import type { LoggerService } from '@nestjs/common';
import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { errorText, isRefusal } from '../server/redis-errors.js';

const FIRST_MS = 50;
const LONGEST_MS = 5_000;
const JITTER = 0.25;

/**
 * The delay before attempt number `attempt` (from 1), in ms. It doubles up to 5 s, and varies by a quarter so that the members
 * of a fleet do not all reconnect at once.
 */
export function reconnectDelayMs(attempt: number): number {
  const delayMs = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(attempt - 1, 10));
  return Math.round(delayMs * (1 - JITTER + 2 * JITTER * Math.random()));
}

/**
 * Repeats a step in Redis until it succeeds, since Redis may be away, loading, read-only or out of memory. The step must be
 * safe to run twice.
 *
 * @param onFault called after each failure
 * @throws what Redis refuses for good; the signal's reason once it aborts
 */
export async function retryUntilDone<Result>(
  step: () => Promise<Result>,
  signal: AbortSignal,
  onFault: (error: unknown) => void,
): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    signal.throwIfAborted();
    try {
      return await step();
    } catch (error) {
      signal.throwIfAborted();
      if (isRefusal(error)) throw error;
      onFault(error);
    }
    // Many steps may wait for the same signal.
    setMaxListeners(0, signal);
    await delay(reconnectDelayMs(attempt), undefined, { signal });
  }
}

/** What a repeated step in Redis reports to. */
export interface Faults {
  readonly onFault: (error: unknown) => void;
  readonly onWorking: () => void;
}

/** Logs a fault once, until it is over or becomes a different one. */
export class FaultLog {
  /** The current fault of each subject. A subject that works does not end the fault of another. */
  private readonly current = new Map<string, string>();

  constructor(private readonly logger: LoggerService) {}

  say(text: string, about: string): void {
    // If Redis is away, several subjects have the same fault.
    const isLogged = [...this.current.values()].includes(text);
    this.current.set(about, text);
    if (!isLogged) this.logger.warn(text);
  }

  over(about: string): void {
    this.current.delete(about);
  }

  /**
   * The faults of one subject.
   *
   * @param words makes the log text from an error's reason
   */
  of(about: string, words: (reason: string) => string): Faults {
    return {
      onFault: (error) => this.say(words(errorText(error)), about),
      onWorking: () => this.over(about),
    };
  }
}
