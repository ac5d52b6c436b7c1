import type { Redis } from 'ioredis';
import { redisTimeMs } from '../redis/server/redis-time.js';
import { elapsedMs, leaseClock, type LeaseMoment } from '../redis/server/lease-clock.js';

/** What Redis's clock shows: asked now and then, and counted on from there. */
export class RequestClock {
  private shown: { readonly ms: number; readonly at: LeaseMoment } | undefined;

  constructor(private readonly client: Redis) {}

  /** Asks Redis. */
  async read(): Promise<void> {
    this.shown = { ms: await redisTimeMs(this.client), at: leaseClock() };
  }

  /** Now in Redis's ms, late by the way of an answer at the most. It has to be read before. */
  now(): number {
    return this.shown === undefined ? 0 : this.shown.ms + elapsedMs(this.shown.at);
  }
}
