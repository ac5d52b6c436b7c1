import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 20;
const WITHIN_MS = 30_000;

/** Waits until a condition holds. */
export async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + WITHIN_MS;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error('It took too long');
    await delay(POLL_MS);
  }
}
