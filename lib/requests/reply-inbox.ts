import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { LoggerService } from '@nestjs/common';
import { readReply, type Reply } from '../wire/reply-fields.js';
import { type InboxKeys, inboxKeys } from '../wire/stream-keys.js';
import type { ConnectionOption } from '../options/connection-option.js';
import { onReconnect } from '../redis/connect/cluster-client.js';
import { entryIdAfter } from '../wire/ids.js';
import { OpenedConnection } from '../redis/connect/opened-connection.js';
import { reconnectDelayMs } from '../redis/connect/retry-until-done.js';
import { errorText } from '../redis/server/redis-errors.js';
import type { RawEntry } from '../redis/read/replies.js';
import { keepInboxScript } from '../redis/scripts/publish/keep-inbox.script.js';
import { leaveRequestsScript } from '../redis/scripts/publish/leave-requests.script.js';
import { readAfter } from '../redis/read/stream-reads.js';
import * as text from '../publish/client.messages.js';

export interface ReplyInboxParts {
  readonly connection: ConnectionOption;
  readonly keyPrefix: string;
  /** The client's connection, for what does not block. */
  readonly commands: OpenedConnection;
  readonly logger: LoggerService;
  readonly onReply: (reply: Reply) => void;
  /** Whether somebody waits for replies. */
  readonly isAwaited: () => boolean;
}

/** How long an inbox outlives its client at the most. */
const LASTS_MS = 60_000;
/** How often it is told to last on while somebody waits. */
const KEPT_EVERY_MS = 20_000;
/** It has more than half of its time then. */
const KEPT_FOR_MS = 25_000;
const BLOCK_MS = 5_000;
const READ_COUNT = 512;
/** What was read goes when it is so much. */
const TRIM_COUNT = 512;
const TRIM_BYTES = 256 * 1024;

/** Where the replies of one client arrive: one stream in Redis, read on one connection, however many requests wait. */
export class ReplyInbox {
  private readonly keys: InboxKeys;
  private readonly closing = new AbortController();
  private blocking: OpenedConnection | undefined;
  private lastId = '0-0';
  private keptAt: number | undefined;
  private keeping: Promise<void> | undefined;
  private timer: NodeJS.Timeout | undefined;
  private wakeUp: (() => void) | undefined;
  private unread = { count: 0, bytes: 0 };
  private readonly left: string[] = [];
  private told = false;
  private endFollowing: (() => void) | undefined;

  constructor(private readonly parts: ReplyInboxParts) {
    this.keys = inboxKeys(parts.keyPrefix, randomBytes(12).toString('hex'));
  }

  /** What requests carry. */
  get key(): string {
    return this.keys.replies;
  }

  /** Whether replies would find it now. */
  get isKept(): boolean {
    return this.keptAt !== undefined && performance.now() - this.keptAt < KEPT_FOR_MS;
  }

  /** Sees to it that replies find it, as long as somebody waits for any. */
  async keep(): Promise<void> {
    this.begin();
    while (!this.isKept && this.parts.isAwaited()) {
      this.keeping ??= this.keepOnce().finally(() => {
        this.keeping = undefined;
      });
      await this.keeping;
    }
  }

  /** Somebody waits. */
  wake(): void {
    this.wakeUp?.();
  }

  /** Nobody waits for this request any longer, and who works on it may end. */
  leave(requestId: string): void {
    if (this.left.push(requestId) > 1) return;
    setImmediate(() => this.sendLeft());
  }

  /** Reads no more, and removes it. */
  close(): void {
    this.closing.abort();
    clearInterval(this.timer);
    this.wakeUp?.();
    this.blocking?.drop();
    const { client } = this.parts.commands;
    this.endFollowing?.();
    if (this.blocking === undefined || client.status !== 'ready') return;
    // Where it is not answered any more, the inbox expires.
    client.del(this.keys.replies, this.keys.left).catch(() => undefined);
  }

  private begin(): void {
    if (this.blocking !== undefined) return;
    const { connection, logger, commands } = this.parts;
    this.blocking = new OpenedConnection(connection, {
      role: 'blocking',
      name: 'nestjs-redis-streams:client:replies',
      called: 'replies',
      logger,
      reads: { key: this.keys.replies, commands: commands.client },
    });
    this.endFollowing = onReconnect(commands.client, this.onReady);
    this.timer = setInterval(() => this.keepAwaited(), KEPT_EVERY_MS);
    this.timer.unref();
    void this.read(this.blocking);
  }

  // It may have expired meanwhile, or gone with all the rest.
  private readonly onReady = (): void => {
    this.keptAt = undefined;
    this.keepAwaited();
  };

  private keepAwaited(): void {
    if (!this.parts.isAwaited() || this.parts.commands.client.status !== 'ready') return;
    this.keepOnce().catch(() => undefined);
  }

  private async keepOnce(): Promise<void> {
    const client = await this.parts.commands.ready();
    const at = performance.now();
    try {
      const trimFrom = this.unread.count > 0 ? entryIdAfter(this.lastId) : '';
      const made = await keepInboxScript.run(client, [this.keys.replies], [LASTS_MS, trimFrom]);
      // Nothing that was in there is left, and where Redis's clock was set back its IDs begin lower.
      if (made) this.lastId = '0-0';
      this.keptAt = at;
      if (trimFrom !== '') this.unread = { count: 0, bytes: 0 };
      this.told = false;
    } catch (error) {
      this.say(error);
      await delay(reconnectDelayMs(1), undefined, { signal: this.closing.signal });
    }
  }

  private async read(blocking: OpenedConnection): Promise<void> {
    const { signal } = this.closing;
    for (let failures = 0; !signal.aborted;) {
      try {
        const client = await blocking.ready();
        if (!this.parts.isAwaited()) await this.untilAwaited();
        if (signal.aborted) return;
        const entries = await readAfter(client, {
          stream: this.keys.replies,
          after: this.lastId,
          count: READ_COUNT,
          blockMs: BLOCK_MS,
        });
        this.accept(entries);
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        this.say(error);
        await delay(reconnectDelayMs(++failures), undefined, { signal }).catch(() => undefined);
      }
    }
  }

  private accept(entries: readonly RawEntry[]): void {
    for (const { id, fields = [] } of entries) {
      this.lastId = id;
      this.unread.count++;
      for (const field of fields) this.unread.bytes += field.length;
      const reply = readReply(fields);
      if (reply !== undefined) this.parts.onReply(reply);
    }
    if (this.unread.count < TRIM_COUNT && this.unread.bytes < TRIM_BYTES) return;
    if (this.parts.commands.client.status === 'ready') this.keepOnce().catch(() => undefined);
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
    const { client } = this.parts.commands;
    if (this.closing.signal.aborted || client.status !== 'ready') return;
    for (let at = 0; at < ids.length; at += 1_000) {
      const args = [LASTS_MS, ...ids.slice(at, at + 1_000)];
      // Whoever works on them ends a little later then.
      leaveRequestsScript.run(client, [this.keys.left], args).catch(() => undefined);
    }
  }

  /** A fault is said once, until it is over. */
  private say(error: unknown): void {
    if (this.told || this.closing.signal.aborted) return;
    this.told = true;
    this.parts.logger.warn(text.inboxFailed(errorText(error)));
  }
}
