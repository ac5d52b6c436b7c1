/**
 * The same as in the bench's own workers, for programs that live where another package is installed: does
 * each task, and answers with the measurement.
 */
export function serveTasks(run) {
  process.once('disconnect', () => process.exit());
  process.on('message', (task) => {
    run(task).then(
      (measured) => process.send?.({ measured }),
      (error) => process.send?.({ failed: String(error?.stack ?? error) }),
    );
  });
}

/** Does `action` for 0, 1, … `many` − 1: this many at a time, and the next once all of them are done. */
export async function inRounds(many, atOnce, action) {
  for (let from = 0; from < many; from += atOnce) {
    const length = Math.min(atOnce, many - from);
    await Promise.all(Array.from({ length }, (_, n) => action(from + n)));
  }
}

/** Counts handled messages: `done` resolves at this number. */
export function countdown(many) {
  let left = many;
  let end;
  const done = new Promise((resolve) => (end = resolve));
  const one = () => {
    left -= 1;
    if (left === 0) end();
  };
  return { done, one };
}

export const orderOf = (n) => ({
  orderId: n,
  customer: 'customer-1138',
  item: 'a teapot of stoneware',
  quantity: 1 + (n % 7),
});
