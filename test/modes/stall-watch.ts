import { afterAll, beforeAll } from '@jest/globals';

const EVERY_MS = 100;

/** Knows how long the event loop of this process was stopped, which is not the fault of what runs in it. */
export class StallWatch {
  private readonly stalls: { readonly at: number; readonly ms: number }[] = [];
  private timer: NodeJS.Timeout | undefined;
  private last = 0;

  start(): void {
    this.last = performance.now();
    this.timer = setInterval(() => {
      const now = performance.now();
      const ms = now - this.last - EVERY_MS;
      if (ms > EVERY_MS) this.stalls.push({ at: now, ms });
      this.last = now;
    }, EVERY_MS);
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** The longest stop that ended after a time of `performance.now()`, in ms. */
  longestSince(time: number): number {
    return Math.max(0, ...this.stalls.filter(({ at }) => at >= time).map(({ ms }) => ms));
  }
}

export function stallWatchForTests(): StallWatch {
  const watch = new StallWatch();
  beforeAll(() => watch.start());
  afterAll(() => watch.stop());
  return watch;
}
