import type { Redis } from 'ioredis';
import { redisTimeMs } from './redis-time.js';

/**
 * Redis's clock as far as this process can know it: as it was asked last, and by a clock that nobody sets since then.
 */
export class RedisClock {
  private aheadMs: number | undefined;

  /**
   * What Redis's clock shows, in ms; nothing where it was never asked.
   *
   * @param monotonicMs what `performance.now()` shows
   */
  at(monotonicMs: number): number | undefined {
    return this.aheadMs === undefined ? undefined : monotonicMs + this.aheadMs;
  }

  /** Asks with each connection. Nothing waits for it, and where it is not known it is left out. */
  follow(client: Redis, signal: AbortSignal): void {
    const ask = (): void => void this.ask(client).catch(() => undefined);
    client.on('ready', ask);
    signal.addEventListener('abort', () => client.off('ready', ask), { once: true });
    if (client.status === 'ready') ask();
  }

  private async ask(client: Redis): Promise<void> {
    const sentAt = performance.now();
    const shown = await redisTimeMs(client);
    // Between the question and the answer, where most often half of the time is over.
    const answeredAt = (sentAt + performance.now()) / 2;
    this.aheadMs = shown - answeredAt;
  }
}
