import { setTimeout as delay } from 'node:timers/promises';

/** Long enough for all work after a message to be done: the stream is idle again. */
const PAUSE_MS = 8;

/** Not measured: the connections and the blocked read have to be open first. */
const FIRST = 10;

/**
 * Sends messages, each once the one before it has arrived.
 *
 * @returns how long each took to arrive, in ms
 */
export async function oneAtATime(
  messages: number,
  send: (payload: unknown, onArrival: () => void) => Promise<unknown>,
): Promise<number[]> {
  const times: number[] = [];
  for (let n = 0; n < FIRST + messages; n++) {
    await delay(PAUSE_MS);
    const sentAt = performance.now();
    let arrivedAt = 0;
    await new Promise<void>((resolve, reject) => {
      const onArrival = (): void => {
        arrivedAt = performance.now();
        resolve();
      };
      send({ orderId: n, item: 'teapot', quantity: 2 }, onArrival).catch(reject);
    });
    if (n >= FIRST) times.push(arrivedAt - sentAt);
  }
  return times;
}
