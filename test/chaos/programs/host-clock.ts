/**
 * The offset of this host's clock, in ms. It is set before anything else is loaded, so that all code sees the
 * wrong clock.
 */
export const clockOffsetMs = Number(process.env['CLOCK_OFFSET_MS'] ?? 0);

if (clockOffsetMs !== 0) {
  const right = Date.now;
  let offset = clockOffsetMs;
  Date.now = () => right() + offset;
  // The clock is changed while the program runs. A signal at which Nest does not close the app.
  process.on('SIGWINCH', () => (offset = 0));
}
