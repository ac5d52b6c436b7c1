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
