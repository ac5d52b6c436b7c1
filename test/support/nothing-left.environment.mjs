import { setTimeout as delay } from 'node:timers/promises';
import { TestEnvironment } from 'jest-environment-node';

/** ioredis keeps some of its timers for two seconds after a disconnect. A busy machine needs longer. */
const PATIENCE_MS = 15_000;

/**
 * What keeps this process alive, by kind. Pipes are left out: those of this process itself exist from their
 * first use on, and a child process that is left behind is counted as one.
 */
function countActive() {
  const counts = new Map();
  for (const kind of process.getActiveResourcesInfo().filter((each) => each !== 'PipeWrap')) {
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return counts;
}

/**
 * Fails a spec file that leaves timers, sockets or processes behind. They would keep its worker from ending,
 * and affect the files that run there after it.
 */
export default class NothingLeftEnvironment extends TestEnvironment {
  before = countActive();
  hasFailed = false;

  handleTestEvent({ name, test }) {
    if (name === 'test_done' && test.errors.length > 0) this.hasFailed = true;
  }

  async teardown() {
    const left = await this.leftAtLast();
    await super.teardown();
    // Jest would report this instead of the tests that failed, and those are why something is left.
    if (left.length > 0 && !this.hasFailed)
      throw new Error(`This file has left open: ${left.join(', ')}`);
  }

  async leftAtLast() {
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      const left = [...countActive()].flatMap(([kind, count]) => {
        const more = count - (this.before.get(kind) ?? 0);
        return more > 0 ? [`${more} × ${kind}`] : [];
      });
      if (left.length === 0 || performance.now() > deadline) return left;
      await delay(20, undefined, { ref: false });
    }
  }
}
