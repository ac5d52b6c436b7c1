/** How far this host's clock is off, in ms. It is set before anything else is loaded, so that nobody has the right one. */
export const clockOffsetMs = Number(process.env['CLOCK_OFFSET_MS'] ?? 0);

if (clockOffsetMs !== 0) {
  const right = Date.now;
  let offset = clockOffsetMs;
  Date.now = () => right() + offset;
  // Somebody sets it while the program runs. A signal at which Nest does not close the app.
  process.on('SIGWINCH', () => (offset = 0));
}
