/** Lets something wait until another part has news for it. News that nobody waited for are kept for the next wait. */
export class Wakeup {
  private hasNews = false;
  private waiting: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined;

  /** Ends the wait under way, or the next one. */
  notify(): void {
    if (this.waiting === undefined) {
      this.hasNews = true;
      return;
    }
    this.waiting.resolve();
    this.waiting = undefined;
  }

  /** Resolves once there are news. All that wait at the same time share them. */
  next(): Promise<void> {
    if (this.hasNews) {
      this.hasNews = false;
      return Promise.resolve();
    }
    if (this.waiting === undefined) {
      let resolve = (): void => undefined;
      const promise = new Promise<void>((fulfil) => (resolve = fulfil));
      this.waiting = { promise, resolve };
    }
    return this.waiting.promise;
  }
}

/** The streams that have got room for more, so that readers need not ask each of them. */
export class Demand {
  private readonly raised = new Set<string>();
  private readonly news = new Wakeup();

  raise(streamKey: string): void {
    this.raised.add(streamKey);
    this.news.notify();
  }

  /** Resolves once some streams have room: their keys. */
  async next(): Promise<readonly string[]> {
    await this.news.next();
    const keys = [...this.raised];
    this.raised.clear();
    return keys;
  }
}

/** Whether `promise` is fulfilled within `timeoutMs`. It is not ended, and nothing of the wait is left behind. */
export async function within(promise: Promise<unknown>, timeoutMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const timeUp = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), timeoutMs);
  });
  try {
    return await Promise.race([promise.then(() => true), timeUp]);
  } finally {
    clearTimeout(timer);
  }
}
