import { StreamsTestingError } from './streams-testing.error.js';
import { CLOSED } from './testing-kit.messages.js';

/** What is not told by an event is seen this much later. */
const LOOK_AGAIN_MS = 200;

export interface WaitingParts<Met> {
  /** Something truthy once it is so; may throw where it never will be. */
  readonly look: () => Met | undefined | Promise<Met | undefined>;
  readonly timeoutMs: number;
  /** Calls back when it may be so. @returns ends it */
  readonly whenChanged: (callback: () => void) => () => void;
  readonly closed: AbortSignal;
  /** What is thrown when the time is over. */
  readonly tooLate: () => Promise<Error>;
}

/**
 * Looks now, after each change, and now and then for what no event tells; one look at a time, and one more for changes
 * meanwhile.
 */
export async function waiting<Met>(parts: WaitingParts<Met>): Promise<Met> {
  const { look, timeoutMs, whenChanged, closed, tooLate } = parts;
  const until = performance.now() + timeoutMs;
  let wake: () => void = () => undefined;
  let hasChanged = false;
  const change = (): void => {
    hasChanged = true;
    wake();
  };
  const end = whenChanged(change);
  closed.addEventListener('abort', change, { once: true });
  try {
    for (;;) {
      hasChanged = false;
      const met = await look();
      if (met !== undefined) return met;
      if (closed.aborted) throw new StreamsTestingError(CLOSED);
      const leftMs = until - performance.now();
      if (leftMs <= 0) throw await tooLate();
      if (hasChanged) continue;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.min(leftMs, LOOK_AGAIN_MS));
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  } finally {
    end();
    closed.removeEventListener('abort', change);
  }
}
