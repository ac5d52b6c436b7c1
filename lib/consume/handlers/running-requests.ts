import { outsideOfCalls } from '../../events/async-context.js';
import type { Callers } from '../../requests/callers.js';
import type { RequestFields } from '../../wire/request-reply-fields.js';

/** How often it is asked who still waits for what runs. */
const ASK_EVERY_MS = 500;
/** What runs for less than this is not asked for: most requests have ended by then. */
const YOUNG_MS = 300;

interface Running {
  readonly request: RequestFields;
  readonly startedAt: number;
  /** Called if its caller has left. */
  readonly abandon: () => void;
}

/** The requests of a stream that run, and an end for those whose callers leave: within a second. */
export class RunningRequests {
  private readonly running = new Set<Running>();
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly callers: Callers) {}

  /** @returns ends the watch: the request has ended */
  watch(request: RequestFields, abandon: () => void): () => void {
    const run = { request, startedAt: performance.now(), abandon };
    this.running.add(run);
    this.askLater();
    return () => void this.running.delete(run);
  }

  private askLater(): void {
    if (this.timer !== undefined || this.running.size === 0) return;
    this.timer = outsideOfCalls(() => setTimeout(() => void this.ask(), ASK_EVERY_MS));
    this.timer.unref();
  }

  private async ask(): Promise<void> {
    const from = performance.now() - YOUNG_MS;
    const runs = [...this.running].filter(({ startedAt }) => startedAt <= from);
    if (runs.length > 0) {
      const left = await this.callers.leftOrDead(runs.map(({ request }) => request));
      for (const run of runs) {
        if (!left.has(run.request.id) || !this.running.delete(run)) continue;
        run.abandon();
      }
    }
    this.timer = undefined;
    this.askLater();
  }
}
