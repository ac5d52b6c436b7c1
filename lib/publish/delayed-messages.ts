import { randomBytes } from 'node:crypto';
import type { LoggerService } from '@nestjs/common';
import type { Redis } from 'ioredis';
import { DELAYED_STREAMS_KEY, delayedKeys, publishedKeys } from '../wire/stream-keys.js';
import { JointWrite } from '../redis/connect/cluster-client.js';
import { errorText, isRedisReply } from '../redis/server/redis-errors.js';
import {
  publishDelayedScript,
  type PublishedLater,
} from '../redis/scripts/publish/publish-delayed.script.js';
import { unlistDelayedScript } from '../redis/scripts/publish/unlist-delayed.script.js';
import * as text from './publish.messages.js';

const EVERY_MS = 200;

/** A script blocks Redis while it runs: it publishes so many messages, and about so many bytes. */
const MOST_MESSAGES = 100;
const MOST_BYTES = 256 * 1024;

/** A stream is checked again after this time at the latest: keys may have been deleted, or lost by a failover. */
const RECHECK_MS = 5_000;

/** A stream that was found empty is checked again after this time, and taken off the list if it is still empty. */
const EMPTY_MS = 2_000;

/** How long to wait after Redis refused to publish something. */
const REFUSED_MS = 1_000;

/** The last check of a stream. */
interface LastCheck {
  /** The stream's token in the list at that time; `undefined` if it was not listed. Whoever adds a message changes it. */
  readonly token: string | undefined;
  /** When to check again if the token stays the same, by `performance.now()`. */
  readonly nextAt: number;
  /** Whether no message waited. */
  readonly isEmpty: boolean;
}

/** Publishes delayed messages of all streams when they are due. Any number of processes may do so at the same time. */
export class DelayedMessages {
  private readonly jointWrite: JointWrite;
  private readonly lastChecks = new Map<string, LastCheck>();
  private checking: Promise<void> | undefined;
  /** By the stream's key. A stream with many due messages does not hold up the others. */
  private readonly publishing = new Map<string, Promise<void>>();
  /** The last fault that was logged, by the stream's key; that of the list under ''. */
  private readonly faults = new Map<string, string>();
  private interval: NodeJS.Timeout | undefined;
  /** For messages that are due before the next regular check. */
  private earlyCheck: NodeJS.Timeout | undefined;
  private stopped = false;

  constructor(
    private readonly client: Redis,
    private readonly logger: LoggerService,
  ) {
    this.jointWrite = new JointWrite(client);
  }

  /** Checks at intervals, if `isWanted` returns true. This does not keep the process alive. */
  start(isWanted: () => boolean = () => true): void {
    if (this.interval !== undefined || this.stopped) return;
    this.interval = setInterval(() => {
      if (isWanted()) this.check();
    }, EVERY_MS);
    this.interval.unref();
  }

  /** Starts to publish what is due. Does nothing if a check is under way or there is no connection. */
  check(): void {
    if (this.stopped || this.client.status !== 'ready') return;
    clearTimeout(this.earlyCheck);
    this.checking ??= this.checkAll().finally(() => {
      this.checking = undefined;
    });
  }

  /** Resolves once nothing more will be published. */
  async stop(): Promise<void> {
    this.stopped = true;
    clearInterval(this.interval);
    clearTimeout(this.earlyCheck);
    await this.checking;
    await Promise.all(this.publishing.values());
  }

  private async checkAll(): Promise<void> {
    try {
      const listed = await this.client.hgetall(DELAYED_STREAMS_KEY);
      this.report('', undefined);
      if (this.stopped) return;
      const now = performance.now();
      const tokens = new Map(Object.entries(listed));
      // Includes streams that are no longer listed: the list may have been deleted.
      const keys = new Set([...tokens.keys(), ...this.lastChecks.keys()]);
      for (const key of keys) {
        const token = tokens.get(key);
        if (!this.publishing.has(key) && this.isDue(key, token, now))
          this.startPublishing(key, token);
      }
    } catch (error) {
      this.report('', faultOf(error, text.delayedNotChecked));
    }
    this.scheduleEarlyCheck();
  }

  private startPublishing(key: string, token: string | undefined): void {
    this.jointWrite.begin();
    const done = this.publish(key, token)
      .catch((error: unknown) => {
        this.note(key, token, REFUSED_MS);
        return faultOf(error, (reason) => text.delayedRefused(key, reason));
      })
      .then((fault) => {
        this.report(key, fault);
        this.publishing.delete(key);
        this.scheduleEarlyCheck();
      });
    this.publishing.set(key, done);
  }

  /** Logs a fault once, until it is over or another one follows. */
  private report(key: string, fault: string | undefined): void {
    if (fault === undefined) this.faults.delete(key);
    else if (fault !== this.faults.get(key)) {
      this.faults.set(key, fault);
      this.logger.warn(fault);
    }
  }

  private isDue(key: string, token: string | undefined, now: number): boolean {
    const last = this.lastChecks.get(key);
    if (last === undefined || last.nextAt <= now) return true;
    return token !== undefined && token !== last.token;
  }

  /** Publishes what is due in one stream, page by page. Returns what went wrong. */
  private async publish(key: string, token: string | undefined): Promise<string | undefined> {
    const { delayed, messages } = delayedKeys(key);
    const { published, entryIds } = publishedKeys(key, '');
    const keys = [key, delayed, messages, published, entryIds];
    let page: PublishedLater;
    do {
      page = await publishDelayedScript.run(this.client, keys, [MOST_MESSAGES, MOST_BYTES]);
      if (page.unreadable > 0) this.logger.error(text.delayedUnreadable(key, page.unreadable));
    } while (!this.stopped && page.refusal === undefined && Number(page.nextMs) <= 0);
    const { nextMs, refusal } = page;
    if (nextMs === undefined) {
      await this.noteEmpty(key, token);
      return undefined;
    }
    if (token === undefined) {
      await this.client.hsetnx(DELAYED_STREAMS_KEY, key, randomBytes(8).toString('hex'));
    }
    this.note(key, token, refusal === undefined ? Math.max(nextMs, 0) : REFUSED_MS);
    return refusal === undefined ? undefined : text.delayedRefused(key, refusal);
  }

  private async noteEmpty(key: string, token: string | undefined): Promise<void> {
    const last = this.lastChecks.get(key);
    const stillEmpty = last?.isEmpty === true && last.token === token;
    // Not taken off the list at once: the next message would only list it again.
    if (token !== undefined && !stillEmpty) return this.note(key, token, EMPTY_MS, true);
    if (token !== undefined) {
      await unlistDelayedScript.run(this.client, [DELAYED_STREAMS_KEY], [key, token]);
    }
    this.lastChecks.delete(key);
  }

  private note(key: string, token: string | undefined, inMs: number, isEmpty = false): void {
    const nextAt = performance.now() + Math.min(inMs, RECHECK_MS);
    this.lastChecks.set(key, { token, nextAt, isEmpty });
  }

  /** Schedules an early check if something is due before the next regular one. */
  private scheduleEarlyCheck(): void {
    let first = Number.POSITIVE_INFINITY;
    for (const [key, { nextAt }] of this.lastChecks) {
      if (!this.publishing.has(key)) first = Math.min(first, nextAt);
    }
    const inMs = first - performance.now();
    if (this.stopped || inMs >= EVERY_MS) return;
    clearTimeout(this.earlyCheck);
    this.earlyCheck = setTimeout(() => this.check(), Math.max(1, Math.ceil(inMs)));
    this.earlyCheck.unref();
  }
}

/** A dropped connection is not reported here: the connection's own log does that. */
const faultOf = (error: unknown, textOf: (reason: string) => string): string | undefined =>
  isRedisReply(error) ? textOf(errorText(error)) : undefined;
