import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { LoggerService } from '@nestjs/common';
import { outsideOfCalls } from '../events/async-context.js';
import type { ResolvedClientOptions } from '../options/resolved-options.js';
import { onReconnect } from '../redis/connect/cluster-client.js';
import { OpenedConnection } from '../redis/connect/opened-connection.js';
import { reconnectDelayMs } from '../redis/connect/retry-until-done.js';
import { entryIdAfter } from '../wire/ids.js';
import { bytesOf, RecentSize } from '../redis/read/recent-size.js';
import type { RawEntry } from '../redis/read/replies.js';
import { readAfter } from '../redis/read/streams.js';
import { keepInboxScript } from '../redis/scripts/publish/keep-inbox.script.js';
import { leaveRequestsScript } from '../redis/scripts/publish/leave-requests.script.js';
import { errorText, isClusterFault, isRedisReply } from '../redis/server/redis-errors.js';
import { type InboxKeys, inboxKeys } from '../wire/stream-keys.js';
import type { PendingRequests } from './pending-request.js';

/** The inbox expires after this time, unless it is renewed. */
const EXPIRES_MS = 60_000;
/** How often it is renewed while a request waits. */
const RENEW_EVERY_MS = 20_000;
/** How long after a renewal the inbox is relied on. More than half of its time is left then. */
const RELIABLE_MS = 25_000;
/** How long after a renewal or a check a request checks whether the inbox still exists. */
const CHECK_AFTER_MS = 20;
const BLOCK_MS = 5_000;
/** One read brings so many replies, or about so many bytes, by the size of recent replies. */
const READ_COUNT = 512;
const READ_BYTES = 8 * 1_048_576;
/** Replies that were read are deleted once there are so many, or so many bytes. */
const TRIM_COUNT = 512;
const TRIM_BYTES = 256 * 1024;

/** Receives all replies of one client: one stream in Redis, read on one connection, however many requests wait. */
export class ReplyInbox {
  private readonly keys: InboxKeys;
  private readonly closing = new AbortController();
  private blocking: OpenedConnection | undefined;
  private lastId = '0-0';
  private readonly replySize = new RecentSize(READ_BYTES / READ_COUNT);
  private renewedAt: number | undefined;
  private checkedAt = 0;
  private renewing: Promise<void> | undefined;
  private timer: NodeJS.Timeout | undefined;
  private wakeUp: (() => void) | undefined;
  /** Replies that were read and are not deleted yet. */
  private untrimmed = { count: 0, bytes: 0 };
  private readonly left: string[] = [];
  private faultIsLogged = false;
  /** Why Redis refused to make or keep it the last time; undefined if it did not. */
  private refusal: Error | undefined;
  private stopFollowing: (() => void) | undefined;

  /** @param commands the client's connection, for commands that do not block */
  constructor(
    private readonly options: Pick<ResolvedClientOptions, 'connection' | 'keyPrefix' | 'inbox'>,
    private readonly commands: OpenedConnection,
    private readonly pending: PendingRequests,
    private readonly logger: LoggerService,
  ) {
    const { keyPrefix, inbox } = options;
    const random = randomBytes(16).toString('hex');
    this.keys = inboxKeys(keyPrefix, inbox === undefined ? random : `${inbox}.${random}`);
  }

  /** Requests carry it, so that the handler's side can reply. */
  get key(): string {
    return this.keys.replies;
  }

  private get isAwaited(): boolean {
    return this.pending.size > 0;
  }

  /** Whether requests can rely on the inbox now. */
  get isReady(): boolean {
    return this.renewedAt !== undefined && performance.now() - this.renewedAt < RELIABLE_MS;
  }

  /**
   * Resolves once the inbox exists, or no request waits any more.
   *
   * @throws the error of Redis if it refuses the inbox, for lack of memory for example
   */
  async makeReady(): Promise<void> {
    this.open();
    while (!this.isReady && this.isAwaited) {
      this.renewing ??= this.renew().finally(() => {
        this.renewing = undefined;
      });
      await this.renewing;
      if (this.refusal !== undefined) throw this.refusal;
    }
  }

  /**
   * Makes the inbox again if it is gone, after a `FLUSHALL` for example. No request waits for this check: it goes out together
   * with the request, and a handler takes longer than that to reply.
   */
  checkSometimes(): void {
    const { client } = this.commands;
    const now = performance.now();
    if (now - this.checkedAt < CHECK_AFTER_MS || client.status !== 'ready') return;
    this.checkedAt = now;
    client.exists(this.keys.replies).then(
      (count) => {
        if (count === 0) this.renewNow();
      },
      () => undefined,
    );
  }

  /** Starts to read again: a request waits. */
  wake(): void {
    this.wakeUp?.();
  }

  /** Nobody waits for this request any more: its handler may stop. */
  leave(requestId: string): void {
    if (this.left.push(requestId) > 1) return;
    setImmediate(() => this.sendLeft());
  }

  /** Stops reading, and deletes the inbox. */
  close(): void {
    this.closing.abort();
    clearInterval(this.timer);
    this.wakeUp?.();
    this.blocking?.drop();
    const { client } = this.commands;
    this.stopFollowing?.();
    if (this.blocking === undefined || client.status !== 'ready') return;
    // If this fails, the inbox expires.
    client.del(this.keys.replies, this.keys.left).catch(() => undefined);
  }

  private open(): void {
    if (this.blocking !== undefined) return;
    const { options, logger, commands } = this;
    this.blocking = new OpenedConnection(options.connection, {
      role: 'blocking',
      name: 'nestjs-redis-streams:client:replies',
      called: 'replies',
      logger,
      reads: { key: this.keys.replies, commands: commands.client },
    });
    // The inbox may have expired or been deleted meanwhile.
    this.stopFollowing = onReconnect(commands.client, () => this.renewNow());
    const { blocking } = this;
    outsideOfCalls(() => {
      this.timer = setInterval(() => this.renewIfAwaited(), RENEW_EVERY_MS);
      void this.read(blocking);
    });
    this.timer?.unref();
  }

  /** New requests wait for this renewal. */
  private renewNow(): void {
    this.renewedAt = undefined;
    this.renewIfAwaited();
  }

  private renewIfAwaited(): void {
    if (!this.isAwaited || this.commands.client.status !== 'ready') return;
    this.renew().catch(() => undefined);
  }

  private async renew(): Promise<void> {
    const client = await this.commands.ready();
    const at = performance.now();
    try {
      const trimFrom = this.untrimmed.count > 0 ? entryIdAfter(this.lastId) : '';
      const made = await keepInboxScript.run(client, [this.keys.replies], [EXPIRES_MS, trimFrom]);
      // A new inbox is read from its beginning: if Redis's clock was set back, its IDs start lower.
      if (made) this.lastId = '0-0';
      this.refusal = undefined;
      this.renewedAt = at;
      this.checkedAt = at;
      if (trimFrom !== '') this.untrimmed = { count: 0, bytes: 0 };
      this.faultIsLogged = false;
    } catch (error) {
      this.refusal = isRedisReply(error) && !isClusterFault(error) ? error : undefined;
      this.logFault(error);
      await delay(reconnectDelayMs(1), undefined, { signal: this.closing.signal });
    }
  }

  private async read(blocking: OpenedConnection): Promise<void> {
    const { signal } = this.closing;
    for (let failures = 0; !signal.aborted;) {
      try {
        const client = await blocking.ready();
        if (!this.isAwaited) await this.untilAwaited();
        if (signal.aborted) return;
        const entries = await readAfter(client, {
          stream: this.keys.replies,
          after: this.lastId,
          count: Math.min(READ_COUNT, this.replySize.howManyIn(READ_BYTES)),
          blockMs: BLOCK_MS,
        });
        this.accept(entries);
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        this.logFault(error);
        await delay(reconnectDelayMs(++failures), undefined, { signal }).catch(() => undefined);
      }
    }
  }

  private accept(entries: readonly RawEntry[]): void {
    const before = this.untrimmed.bytes;
    for (const { id, fields = [] } of entries) {
      this.lastId = id;
      this.untrimmed.count++;
      this.untrimmed.bytes += bytesOf(fields);
      this.pending.take(fields);
    }
    this.replySize.note(entries.length, this.untrimmed.bytes - before);
    if (this.untrimmed.count < TRIM_COUNT && this.untrimmed.bytes < TRIM_BYTES) return;
    if (this.commands.client.status === 'ready') this.renew().catch(() => undefined);
  }

  private async untilAwaited(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.wakeUp = resolve;
      if (this.closing.signal.aborted) resolve();
    });
    this.wakeUp = undefined;
  }

  private sendLeft(): void {
    const ids = this.left.splice(0);
    const { client } = this.commands;
    if (this.closing.signal.aborted || client.status !== 'ready') return;
    for (let at = 0; at < ids.length; at += 1_000) {
      const args = [EXPIRES_MS, ...ids.slice(at, at + 1_000)];
      // If this fails, the handlers notice when they reply.
      leaveRequestsScript.run(client, [this.keys.left], args).catch(() => undefined);
    }
  }

  /** Logs a fault once, until it is over. */
  private logFault(error: unknown): void {
    if (this.faultIsLogged || this.closing.signal.aborted) return;
    this.faultIsLogged = true;
    this.logger.warn(`Replies cannot be read: ${errorText(error)}. Trying again until they can`);
  }
}
