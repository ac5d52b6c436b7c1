import type { Redis } from 'ioredis';
import { redisTimeMs, elapsedMs, localNow, type LocalMoment } from '../redis/server/clocks.js';

/** What Redis's clock shows: asked now and then, and counted on from there. */
export class RequestClock {
  private shown: { readonly ms: number; readonly at: LocalMoment } | undefined;

  constructor(private readonly client: Redis) {}

  /** Asks Redis. */
  async read(): Promise<void> {
    this.shown = { ms: await redisTimeMs(this.client), at: localNow() };
  }

  /** Now in Redis's ms, late by the way of an answer at the most. It has to be read before. */
  now(): number {
    return this.shown === undefined ? 0 : this.shown.ms + elapsedMs(this.shown.at);
  }
}
