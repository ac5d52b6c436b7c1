import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { readGroups } from '../redis/read/xinfo.js';
import { isNotAllowed } from '../redis/server/redis-errors.js';
import { redisTimeMs } from '../redis/server/clocks.js';
import { streamKeys } from '../wire/stream-keys.js';

/** How long an answer counts that a stream is read. */
const READ_FOR_MS = 1_000;
/** A stream that seems unread is looked at again after this time: a member makes a group that has vanished again within it. */
const SURE_AFTER_MS = 500;
/** How long nothing is asked after Redis has not answered: it may not be allowed. */
const UNKNOWN_FOR_MS = 60_000;
const MOST_REMEMBERED = 1_000;

/** Asks Redis whether anybody reads the streams that requests are sent to. */
export class Readers {
  /** The keys that need not be asked about, and until when, by `performance.now()`. */
  private readonly restUntil = new Map<string, number>();
  private readonly asking = new Map<string, Promise<readonly string[] | undefined>>();

  constructor(
    private readonly client: Redis,
    private readonly keyPrefix: string,
  ) {}

  /**
   * @param key of the stream, or of the partition that a request goes to
   * @returns the groups of the stream, none of which has a living consumer; undefined if one has, or if that is not known
   */
  async ofUnread(stream: string, key: string): Promise<readonly string[] | undefined> {
    if ((this.restUntil.get(key) ?? 0) > performance.now()) return undefined;
    let asking = this.asking.get(key);
    if (asking === undefined) {
      asking = this.ask(stream, key).finally(() => this.asking.delete(key));
      this.asking.set(key, asking);
    }
    return asking;
  }

  private async ask(stream: string, key: string): Promise<readonly string[] | undefined> {
    try {
      let unread = await this.look(stream, key);
      if (unread !== undefined) {
        await delay(SURE_AFTER_MS, undefined, { ref: false });
        unread = await this.look(stream, key);
      }
      if (unread === undefined) this.rest(key, READ_FOR_MS);
      return unread;
    } catch {
      this.rest(key, UNKNOWN_FOR_MS);
      return undefined;
    }
  }

  private async look(stream: string, key: string): Promise<readonly string[] | undefined> {
    const groups = await readGroups(this.client, key);
    const areRead = await Promise.all(
      groups.map(({ name, consumers }) => this.isRead(stream, name, consumers)),
    );
    return areRead.includes(true) ? undefined : groups.map(({ name }) => name);
  }

  /** A group without any report may belong to another program, or to an older version of this package. */
  private async isRead(stream: string, group: string, consumers: number): Promise<boolean> {
    const { client, keyPrefix } = this;
    const { members, left } = streamKeys(keyPrefix, stream, group);
    const asked = Promise.all([
      client.zrange(members, '-1', '-1', 'WITHSCORES'),
      client.exists(left),
      redisTimeMs(client),
    ]);
    const answers = await asked.catch((error: unknown) => {
      if (isNotAllowed(error)) return undefined;
      throw error;
    });
    if (answers === undefined) return true;
    const [latest, hasLeft, nowMs] = answers;
    // With RESP3, a member and its score are a list of their own.
    const aliveUntil = latest.flat().at(1);
    if (aliveUntil !== undefined) return Number(aliveUntil) >= nowMs;
    return hasLeft > 0 || consumers > 0;
  }

  private rest(key: string, forMs: number): void {
    if (this.restUntil.size >= MOST_REMEMBERED) this.restUntil.clear();
    this.restUntil.set(key, performance.now() + forMs);
  }
}
