const TICK_MS = 10;

/**
 * How many ms something takes, without the moments in which this process could not run: a timer that is late
 * ticks once, however late. So a limit such as "within a second" can be checked on a busy machine too.
 *
 * @example
 * expect(await timeWithoutStalls(app.close())).toBeLessThan(1_300);
 */
export async function timeWithoutStalls(work: Promise<unknown>): Promise<number> {
  let ticks = 0;
  const timer = setInterval(() => ticks++, TICK_MS);
  try {
    await work;
  } finally {
    clearInterval(timer);
  }
  return ticks * TICK_MS;
}
