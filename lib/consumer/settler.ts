import type { Redis } from 'ioredis';
import type { StreamKeys } from '../keys/stream-keys.js';
import { commitScript } from '../redis/scripts/commit.script.js';
import { handOverScript } from '../redis/scripts/hand-over.script.js';
import { releaseScript } from '../redis/scripts/release.script.js';
import type { ResolvedSubscription } from '../options/resolved-options.js';
import { persist } from './persist.js';
import type { StreamMessage } from './stream-message.js';

/** A success waits this long at the most for others, so that they are settled in one step. */
const LONGEST_WAIT_MS = 4;

export interface SettlerParts {
  readonly client: Redis;
  readonly keys: StreamKeys;
  readonly group: string;
  readonly token: string;
  readonly options: ResolvedSubscription;
  /** Ends its attempts to reach Redis. */
  readonly signal: AbortSignal;
  readonly onFault: (what: string, error: unknown) => void;
  readonly onDone: () => void;
  /** Told of messages that are settled, or were given up on. */
  readonly onSettled: (messages: readonly StreamMessage[]) => void;
}

/** Records the outcomes of one stream's messages in Redis, many at once. */
export class Settler {
  private successes: StreamMessage[] = [];
  private releases: StreamMessage[] = [];
  private handOvers: StreamMessage[] = [];
  private timer: NodeJS.Timeout | undefined;
  private readonly underWay = new Set<Promise<void>>();

  constructor(private readonly parts: SettlerParts) {}

  /** How many outcomes wait to be recorded. */
  get waiting(): number {
    return this.successes.length + this.releases.length + this.handOvers.length;
  }

  /** The handlers succeeded. */
  commit(message: StreamMessage): void {
    // At-most-once recorded the message before it ran; what is left of it is the lease.
    if (this.parts.options.delivery === 'at-most-once') return this.release(message);
    this.successes.push(message);
    this.schedule();
  }

  /** The message was not handled: its lease ends, and it stays as it is. */
  release(message: StreamMessage): void {
    this.releases.push(message);
    this.schedule();
  }

  /** The message did not start: its lease ends, and another member of the group may have it at once. */
  handOver(message: StreamMessage): void {
    this.handOvers.push(message);
    this.schedule();
  }

  /** Sends what waits, now. */
  flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    const { successes, releases, handOvers } = this;
    if (successes.length > 0) {
      this.successes = [];
      this.track('commit', successes, () => this.sendCommit(successes));
    }
    if (releases.length > 0) {
      this.releases = [];
      this.track('release', releases, () => this.sendRelease(releases));
    }
    if (handOvers.length > 0) {
      this.handOvers = [];
      this.track('hand over', handOvers, () => this.sendHandOver(handOvers));
    }
  }

  /** Sends what waits, and is fulfilled once all of it is settled or given up on. */
  async drained(): Promise<void> {
    this.flush();
    await Promise.all(this.underWay);
  }

  private schedule(): void {
    if (this.waiting >= this.parts.options.batchSize) return this.flush();
    this.timer ??= setTimeout(() => this.flush(), LONGEST_WAIT_MS);
  }

  private track(
    what: string,
    messages: readonly StreamMessage[],
    send: () => Promise<unknown>,
  ): void {
    const { signal, onFault, onDone, onSettled } = this.parts;
    const settle = async (): Promise<void> => {
      try {
        await persist(send, signal, (error) => onFault(what, error));
        onDone();
      } catch {
        // Closed: what was not recorded stays pending, and is found there.
      }
      this.underWay.delete(done);
      onSettled(messages);
    };
    const done = settle();
    this.underWay.add(done);
  }

  private sendCommit(messages: readonly StreamMessage[]): Promise<unknown> {
    const { client, keys, group, options } = this.parts;
    const entryIds = messages.map(({ entryId }) => entryId);
    if (options.dedup === false) return client.xack(keys.stream, group, ...entryIds);
    const messageIds = messages.map(({ messageId }) => messageId);
    return commitScript.run(
      client,
      [keys.stream, keys.ledger, keys.leases, keys.retries, keys.attempts],
      [group, JSON.stringify(entryIds), JSON.stringify(messageIds)],
    );
  }

  private async sendRelease(messages: readonly StreamMessage[]): Promise<unknown> {
    const { client, keys, token, options } = this.parts;
    if (options.dedup === false) return;
    return releaseScript.run(client, [keys.leases], [token, ...idsOf(messages)]);
  }

  private sendHandOver(messages: readonly StreamMessage[]): Promise<unknown> {
    const { client, keys, token } = this.parts;
    return handOverScript.run(client, [keys.leases, keys.retries], [token, ...idsOf(messages)]);
  }
}

const idsOf = (messages: readonly StreamMessage[]): string[] =>
  messages.flatMap(({ entryId, messageId }) => [entryId, messageId]);
