import type { Redis } from 'ioredis';
import type { OutgoingEntry } from './entry-publisher.js';
import { isNotAllowed } from '../redis/server/redis-errors.js';
import { newStreamsChannel } from '../wire/stream-keys.js';

/** How long an announcement counts. A stream that is deleted and begins again meanwhile is found when servers look for it. */
const LASTS_MS = 60_000;
const MOST_REMEMBERED = 10_000;

/**
 * Tells servers with wildcards about each stream that a client begins to publish to. Nobody has to hear that: servers also look for
 * streams from time to time.
 */
export class Announcements {
  /** Until when the stream of a key needs none, by `performance.now()`. */
  private readonly announcedUntil = new Map<string, number>();
  private isRefused = false;

  private readonly channel: string;

  constructor(
    private readonly client: Redis,
    keyPrefix: string,
  ) {
    this.channel = newStreamsChannel(keyPrefix);
  }

  /** @param published what is announced only once it is there */
  follow<Result>({ key }: OutgoingEntry, published: Promise<Result>): Promise<Result> {
    const now = performance.now();
    if (this.isRefused || (this.announcedUntil.get(key) ?? 0) > now) return published;
    if (this.announcedUntil.size >= MOST_REMEMBERED) this.announcedUntil.clear();
    this.announcedUntil.set(key, now + LASTS_MS);
    return this.announceAfter(key, published);
  }

  private async announceAfter<Result>(key: string, published: Promise<Result>): Promise<Result> {
    try {
      const result = await published;
      this.client.publish(this.channel, key).catch((error: unknown) => {
        this.isRefused = isNotAllowed(error);
      });
      return result;
    } catch (error) {
      this.announcedUntil.delete(key);
      throw error;
    }
  }
}
