import { inOwnContext } from '../../events/async-context.js';
import type { MessageValidationError } from '../../errors/message.errors.js';

/** How a run of a message's handlers ended. */
export type Verdict =
  | { readonly kind: 'handled' }
  /** No handler wanted it. */
  | { readonly kind: 'unhandled' }
  /** Nobody waits for the request any longer: it did not run, or was ended. */
  | { readonly kind: 'abandoned' }
  /** Its payload does not fit the stream's schema: no handler was asked. */
  | { readonly kind: 'invalid'; readonly error: MessageValidationError }
  | {
      readonly kind: 'failed';
      readonly error: unknown;
      /** What the caller of a request is told, if that is something else. */
      readonly reply?: unknown;
    }
  | { readonly kind: 'retry'; readonly delayMs: number }
  | { readonly kind: 'dead-letter'; readonly reason: string; readonly error: unknown };

/** The verdict of a run that threw. An error is kept even of `throw undefined`, since without one nothing was thrown. */
export const failedWith = (thrown: unknown): Extract<Verdict, { kind: 'failed' }> => ({
  kind: 'failed',
  error: thrown === undefined ? new Error('undefined was thrown') : thrown,
});

const SEVERITY = {
  unhandled: 0,
  handled: 0,
  abandoned: 0,
  retry: 1,
  failed: 2,
  'dead-letter': 3,
  invalid: 3,
} as const;

/** Of several handlers' verdicts the message has the worst. */
export const worse = (a: Verdict, b: Verdict): Verdict =>
  SEVERITY[b.kind] > SEVERITY[a.kind] ? b : a;

/** The signal of one run of a message's handlers, made only if a handler asks for it. */
export class RunSignal {
  private controller: AbortController | undefined;
  private reason: Error | undefined;

  get signal(): AbortSignal {
    if (this.controller === undefined) {
      this.controller = new AbortController();
      if (this.reason !== undefined) this.controller.abort(this.reason);
    }
    return this.controller.signal;
  }

  abort(reason: Error): void {
    this.reason ??= reason;
    const { controller } = this;
    // Its listeners are called at once, by whoever aborts.
    if (controller !== undefined) inOwnContext(() => controller.abort(this.reason));
  }
}
