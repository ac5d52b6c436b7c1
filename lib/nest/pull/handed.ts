import { setImmediate as nextTurn } from 'node:timers/promises';
import { SettledAlreadyError } from '../../errors/handler.errors.js';

/** Where outcomes are recorded. */
export interface Recording {
  /** Resolves once all outcomes so far are in Redis. @throws if the connections were closed first */
  recorded(): Promise<void>;
}

/** One run of a message that a loop has: from handing it out until it is settled or lost. */
export class Handed {
  /** Ends the run, as a handler's promise does. */
  readonly run: Promise<void>;
  private resolve: () => void = () => undefined;
  private reject: (error: unknown) => void = () => undefined;
  private isSettled = false;
  private loss: { readonly error: unknown } | undefined;
  private readonly end: Promise<void>;
  private noteEnd: () => void = () => undefined;

  constructor(
    readonly entryId: string,
    signal: AbortSignal,
    private readonly recording: Recording,
  ) {
    this.run = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    this.end = new Promise((resolve) => (this.noteEnd = resolve));
    if (signal.aborted) this.lose(signal.reason);
    else signal.addEventListener('abort', () => this.lose(signal.reason), { once: true });
  }

  /** @param failure what the run ends with; undefined if the message is handled */
  async settle(failure?: unknown): Promise<void> {
    if (this.loss !== undefined) throw this.loss.error;
    if (this.isSettled) throw new SettledAlreadyError(this.entryId);
    this.isSettled = true;
    if (failure === undefined) this.resolve();
    else this.reject(failure);
    await this.end;
    // What is settled in this turn is recorded in the same step.
    await nextTurn();
    await this.recording.recorded();
  }

  /** The message is not the loop's any more, unless it has settled it. */
  lose(error: unknown): void {
    if (this.isSettled || this.loss !== undefined) return;
    this.loss = { error };
    this.reject(error);
  }

  /** The pipeline has the outcome. */
  ended(): void {
    this.noteEnd();
  }
}
