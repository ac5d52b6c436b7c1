/** Does `action` for 0, 1, … `many` − 1: this many at a time, and the next once all of them are done. */
export async function inRounds(
  many: number,
  atOnce: number,
  action: (n: number) => Promise<unknown>,
): Promise<void> {
  for (let from = 0; from < many; from += atOnce) {
    const length = Math.min(atOnce, many - from);
    await Promise.all(Array.from({ length }, (_, n) => action(from + n)));
  }
}
