import type { Redis } from 'ioredis';
import { randomBytes } from 'node:crypto';
import { unlistDelayedScript } from '../redis/scripts/publish/unlist-delayed.script.js';
import { findDueStreamsScript } from '../redis/scripts/reserve/find-due-streams.script.js';
import { isNotAllowed, isRedisReply, isWrongType } from '../redis/server/redis-errors.js';
import { hashSlot } from '../wire/hash-tags.js';
import { DELAYED_STREAMS_KEY, delayedKeys } from '../wire/stream-keys.js';

/** How many rows are read at once. Redis gives all rows of a list that it stores compactly, up to 512. */
const PAGE = 64;
/** More names, and longer ones, are not remembered. */
const MOST_NAMES = 10_000;
const LONGEST_NAME = 1_024;
/** How long the list is left alone after Redis refused it. */
const REFUSED_MS = 60_000;

/**
 * The list of all streams that have delayed messages. Whoever may write it may write anything into it, and any amount, or delete
 * what others wrote. So it is only a hint, read page by page: servers look into the streams that they read, and clients into those
 * that they publish to, with or without it.
 */
export class DelayedList {
  private cursor = '0';
  /** Each listed stream's key, and its token. */
  private readonly tokens = new Map<string, string>();
  private seen = new Set<string>();
  private refusedUntil = 0;

  constructor(private readonly client: Redis) {}

  /** Whether the user may read and write the list, as far as it is known. */
  get isAllowed(): boolean {
    return performance.now() >= this.refusedUntil;
  }

  /** Reads the next page. @returns the streams that are known to be listed */
  async read(): Promise<ReadonlyMap<string, string>> {
    if (this.isAllowed) await this.unlessRefused(() => this.readPage());
    return this.tokens;
  }

  /** Lists a stream that is not. */
  async add(key: string): Promise<void> {
    const token = randomBytes(8).toString('hex');
    if (!this.isAllowed) return;
    try {
      await this.unlessRefused(() => this.client.hsetnx(DELAYED_STREAMS_KEY, key, token));
    } catch (error) {
      // Reading it reports that.
      if (!isWrongType(error)) throw error;
    }
  }

  /** Takes a stream off the list, if it still has this token. */
  async remove(key: string, token: string): Promise<void> {
    await unlistDelayedScript.run(this.client, [DELAYED_STREAMS_KEY], [key, token]);
    this.tokens.delete(key);
  }

  private async readPage(): Promise<void> {
    const [cursor, rows] = await this.client.hscan(DELAYED_STREAMS_KEY, this.cursor, 'COUNT', PAGE);
    for (let at = 0; at + 1 < rows.length; at += 2) {
      const [key = '', token = ''] = rows.slice(at, at + 2);
      if (key === '' || key.length > LONGEST_NAME || token.length > LONGEST_NAME) continue;
      if (this.tokens.size >= MOST_NAMES && !this.tokens.has(key)) continue;
      this.tokens.set(key, token);
      this.seen.add(key);
    }
    this.cursor = cursor;
    if (cursor !== '0') return;
    for (const key of this.tokens.keys()) if (!this.seen.has(key)) this.tokens.delete(key);
    this.seen = new Set();
  }

  private async unlessRefused(step: () => Promise<unknown>): Promise<void> {
    try {
      await step();
    } catch (error) {
      if (!isNotAllowed(error)) throw error;
      this.refusedUntil = performance.now() + REFUSED_MS;
      this.tokens.clear();
    }
  }
}

/** The last check of a stream. */
export interface LastCheck {
  /** The stream's token in the list at that time; `undefined` if it was not listed. Whoever adds a message changes it. */
  readonly token: string | undefined;
  /** When to check again if the token stays the same, by `performance.now()`. */
  readonly nextAt: number;
  /** `foreign`: only the list names the stream, and Redis refuses it. */
  readonly found: 'some' | 'nothing' | 'refusal' | 'foreign';
}

/** Whether a stream has to be checked again. `token` is the one it has in the list now. */
export function isDue(
  last: LastCheck | undefined,
  token: string | undefined,
  now: number,
): boolean {
  if (last === undefined || last.nextAt <= now) return true;
  return last.found !== 'foreign' && token !== undefined && token !== last.token;
}

const MOST_KEYS = 1_000;

/** Which of some streams have delayed messages that are due, and in which Redis refused to look. */
export interface DueAmong {
  readonly due: readonly string[];
  readonly refused: ReadonlyMap<string, Error>;
}

/** Asks about streams, given by their keys, together: all at once, or in a cluster those of one slot. */
export async function dueAmong(client: Redis, streams: readonly string[]): Promise<DueAmong> {
  const due: string[] = [];
  const refused = new Map<string, Error>();
  const ask = async (some: readonly string[]): Promise<void> => {
    try {
      const keys = some.map((stream) => delayedKeys(stream).delayed);
      const found = await findDueStreamsScript.run(client, keys, []);
      for (const index of found.due) due.push(some[index] ?? '');
    } catch (error) {
      if (!isRedisReply(error)) throw error;
      const [only = '', ...others] = some;
      // If one key cannot be read, the others are still checked.
      if (others.length > 0) await Promise.all(some.map((stream) => ask([stream])));
      else refused.set(only, error);
    }
  };
  await Promise.all(groups(client, streams).map(ask));
  return { due, refused };
}

function groups(client: Redis, streams: readonly string[]): string[][] {
  const bySlot = new Map<number, string[][]>();
  for (const stream of streams) {
    const slot = client.isCluster ? hashSlot(stream) : 0;
    const pages = bySlot.get(slot) ?? [];
    const last = pages.at(-1);
    if (last === undefined || last.length >= MOST_KEYS) pages.push([stream]);
    else last.push(stream);
    bySlot.set(slot, pages);
  }
  return [...bySlot.values()].flat();
}
