import { HandlerTimeoutError } from '../../errors/handler.errors.js';
import { inOwnContext } from '../../events/async-context.js';
import type { Invoke } from '../stream-place.js';
import type { Message } from '../message.js';
import type { StreamTally } from '../tallies.js';
import type { RequestRuns } from './request-runs.js';
import { failedWith, type RunSignal, type Verdict } from './run.js';

/** Calls the handlers of one stream's messages: the border to user code. */
export class HandlerRunner {
  constructor(
    private readonly stream: string,
    private readonly invoke: Invoke,
    private readonly timeoutMs: number | undefined,
    private readonly requests: RequestRuns,
    private readonly tally: StreamTally,
  ) {}

  /** Runs all handlers that want a message, in an async context of its own. Never rejects. */
  run(message: Message, signal: RunSignal): Promise<Verdict> {
    try {
      return inOwnContext(() =>
        this.tally.isTraced
          ? this.tally.traced(message, () => this.runInTime(message, signal))
          : this.runInTime(message, signal),
      );
    } catch (error) {
      return Promise.resolve(failedWith(error));
    }
  }

  private runInTime(message: Message, signal: RunSignal): Promise<Verdict> {
    return this.timeoutMs === undefined
      ? this.runAny(message, signal)
      : this.runUntil(this.timeoutMs, message, signal);
  }

  private runAny(message: Message, signal: RunSignal): Promise<Verdict> {
    return message.request === undefined
      ? this.invoke(message, signal)
      : this.requests.run(message, signal, this.invoke);
  }

  /** A handler that ignores its signal does not hold its slot for ever: nobody waits for it any longer. */
  private async runUntil(timeoutMs: number, message: Message, signal: RunSignal): Promise<Verdict> {
    let timer: NodeJS.Timeout | undefined;
    const timeUp = new Promise<Verdict>((resolve) => {
      timer = setTimeout(() => {
        const error = new HandlerTimeoutError(this.stream, message.entryId, timeoutMs);
        signal.abort(error);
        resolve({ kind: 'failed', error });
      }, timeoutMs);
    });
    try {
      return await Promise.race([this.runAny(message, signal), timeUp]);
    } finally {
      clearTimeout(timer);
    }
  }
}
