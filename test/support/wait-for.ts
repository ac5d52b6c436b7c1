import { setTimeout as delay } from 'node:timers/promises';

/** How long `waitFor` waits, and a description for its error. */
export interface WaitForOptions {
  /** For what never happens: a busy machine may be slow. @default 60 000 */
  readonly timeoutMs?: number;
  /** @default 5 */
  readonly pollMs?: number;
  /** @default the source of the condition */
  readonly description?: string;
}

const POLL_MS = 5;

/**
 * Waits until a condition returns something truthy, and returns that. A condition that throws is not met yet,
 * so `expect` can be used in it.
 *
 * @example
 * await waitFor(() => handled.length === 3);
 * const entry = await waitFor(() => pending.find(({ id }) => id === lost), { timeoutMs: 10_000 });
 */
export async function waitFor<Value>(
  condition: () => Value | Promise<Value>,
  { timeoutMs = 60_000, pollMs = POLL_MS, description = String(condition) }: WaitForOptions = {},
): Promise<Exclude<Value, undefined | null | false | '' | 0>> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    let last: unknown;
    try {
      const value = await condition();
      if (isMet(value)) {
        return value;
      }
      last = value;
    } catch (error) {
      last = error;
    }
    if (performance.now() >= deadline) {
      throw new Error(`Not met within ${timeoutMs} ms: ${description}; at last: ${String(last)}`, {
        cause: last,
      });
    }
    await delay(pollMs);
  }
}

function isMet<Value>(value: Value): value is Exclude<Value, undefined | null | false | '' | 0> {
  return Boolean(value);
}
