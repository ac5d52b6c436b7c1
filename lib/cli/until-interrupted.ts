/** Goes on with `work` until it ends, or somebody presses Ctrl-C: then its signal is aborted, and it is waited for. */
export async function untilInterrupted(
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const left = new AbortController();
  const leave = (): void => left.abort();
  process.once('SIGINT', leave).once('SIGTERM', leave);
  try {
    await work(left.signal);
  } catch (error) {
    // What was waited for in Redis broke off, as it was meant to.
    if (!left.signal.aborted) throw error;
  } finally {
    process.off('SIGINT', leave).off('SIGTERM', leave);
  }
}
