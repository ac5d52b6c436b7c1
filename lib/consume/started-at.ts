import type { Redis } from 'ioredis';
import { redisTimeMs } from '../redis/server/clocks.js';

/**
 * When this process began to consume, by Redis's clock. What its consumer was given before that was given to an earlier
 * process of the same name. It is a point in time and not a duration, since a script may be sent again much later.
 */
export class StartedAt {
  private shownMs = 0;

  /** Must be asked before anything is read. */
  async ask(client: Redis): Promise<void> {
    this.shownMs = await redisTimeMs(client);
  }

  get redisMs(): number {
    return this.shownMs;
  }
}
