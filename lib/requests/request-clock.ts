import type { Redis } from 'ioredis';
import { elapsedMs, leaseClock, type LeaseMoment } from '../redis/server/lease-clock.js';
import { redisTimeMs } from '../redis/server/redis-time.js';

/** Redis's clock: asked now and then, and extrapolated in between. */
export class RequestClock {
  private lastRead: { readonly ms: number; readonly at: LeaseMoment } | undefined;

  constructor(private readonly client: Redis) {}

  /** Asks Redis. */
  async read(): Promise<void> {
    this.lastRead = { ms: await redisTimeMs(this.client), at: leaseClock() };
  }

  /** Redis's time now, in ms; late by the time that an answer takes, at most. 0 before the first `read()`. */
  now(): number {
    return this.lastRead === undefined ? 0 : this.lastRead.ms + elapsedMs(this.lastRead.at);
  }
}
