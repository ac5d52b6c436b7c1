import type { LoggerService } from '@nestjs/common';
import type { Redis } from 'ioredis';
import { InvalidStreamNameError } from '../errors/redis-streams.error.js';
import { JointWrite } from '../redis/connect/cluster-client.js';
import {
  publishDelayedKeys,
  publishDelayedScript,
  type PublishedLater,
} from '../redis/scripts/publish/publish-delayed.script.js';
import { errorText, isNotAllowed, isRedisReply } from '../redis/server/redis-errors.js';
import { DELAYED_STREAMS_KEY } from '../wire/stream-keys.js';
import { DelayedList, dueAmong, isDue, type LastCheck } from './delayed-list.js';
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

/** How long a stream that only the list names is left alone if Redis refuses it: its name may be junk, or another user's. */
const FOREIGN_MS = 600_000;

/** How many streams that only the list names are looked into for the first time at once. */
const MOST_FOREIGN = 50;

/** No stream has this key. */
const OWN = '';

/** How many faults are remembered, and so logged, at the same time. */
const MOST_FAULTS = 100;

/**
 * Publishes delayed messages when they are due: of the process's own streams, and of those that the list names. Any number of
 * processes may do so at the same time.
 */
export class DelayedMessages {
  private readonly jointWrite: JointWrite;
  private readonly list: DelayedList;
  /** Streams to which this process has sent delayed messages, until none waits. */
  private readonly sentTo = new Set<string>();
  /** Own streams into which Redis refused to look, and until when they are left alone. */
  private readonly refusedUntil = new Map<string, number>();
  private readonly lastChecks = new Map<string, LastCheck>();
  private checking: Promise<void> | undefined;
  /** By the stream's key. A stream with many due messages does not hold up the others. */
  private readonly publishing = new Map<string, Promise<void>>();
  /** The last fault that was logged, by the stream's key; those of all own streams under OWN. */
  private readonly faults = new Map<string, string>();
  private interval: NodeJS.Timeout | undefined;
  /** For messages that are due before the next regular check. */
  private earlyCheck: NodeJS.Timeout | undefined;
  private stopped = false;

  /** @param read the keys of the streams that this process reads */
  constructor(
    private readonly client: Redis,
    private readonly logger: LoggerService,
    private readonly read: () => Iterable<string> = () => [],
  ) {
    this.list = new DelayedList(client);
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

  /** This process sends delayed messages to a stream: it looks for them until none waits. */
  follow(key: string): void {
    this.sentTo.add(key);
  }

  private async checkAll(): Promise<void> {
    await Promise.all([
      this.reported(this.checkOwn(), OWN, text.delayedNotChecked),
      this.reported(this.checkListed(), DELAYED_STREAMS_KEY, text.listNotRead),
    ]);
    this.scheduleEarlyCheck();
  }

  private async reported(check: Promise<void>, of: string, asText: TextOf): Promise<void> {
    try {
      await check;
      this.report(of, undefined);
    } catch (error) {
      this.report(of, faultOf(error, asText));
    }
  }

  private async checkOwn(): Promise<void> {
    const now = performance.now();
    const isRefused = (key: string): boolean => (this.refusedUntil.get(key) ?? 0) > now;
    const own = [...this.own()].filter((key) => !isRefused(key) && !this.publishing.has(key));
    if (own.length === 0) return;
    const { due, refused } = await dueAmong(this.client, own);
    for (const [key, error] of refused) {
      this.refusedUntil.set(key, performance.now() + RECHECK_MS * 6);
      this.report(key, text.delayedRefused(key, errorText(error)));
    }
    for (const key of due) {
      const last = this.lastChecks.get(key);
      const waits = last?.found === 'refusal' && last.nextAt > now;
      if (!waits && !this.publishing.has(key) && !this.stopped)
        this.startPublishing(key, last?.token);
    }
  }

  private own(): Set<string> {
    return new Set([...this.read(), ...this.sentTo]);
  }

  private async checkListed(): Promise<void> {
    const tokens = await this.list.read();
    if (this.stopped) return;
    const now = performance.now();
    let foreign = 0;
    // Includes streams that are no longer listed: the list may have been deleted.
    for (const key of new Set([...tokens.keys(), ...this.lastChecks.keys()])) {
      const token = tokens.get(key);
      const last = this.lastChecks.get(key);
      if (last?.found === 'foreign' && token === undefined) this.lastChecks.delete(key);
      else if (!this.publishing.has(key) && isDue(last, token, now)) {
        if (last === undefined && ++foreign > MOST_FOREIGN) continue;
        this.startPublishing(key, token);
      }
    }
  }

  private startPublishing(key: string, token: string | undefined): void {
    this.jointWrite.begin();
    const done = this.publish(key, token)
      .catch((error: unknown) => {
        const isJunk = isNotAllowed(error) || error instanceof InvalidStreamNameError;
        if (isJunk && !this.own().has(key)) {
          this.note(key, token, FOREIGN_MS, 'foreign');
          return undefined;
        }
        this.note(key, token, REFUSED_MS, 'refusal');
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
      if (this.faults.size >= MOST_FAULTS && !this.faults.has(key)) return;
      this.faults.set(key, fault);
      this.logger.warn(fault);
    }
  }

  /** Publishes what is due in one stream, page by page. Returns what went wrong. */
  private async publish(key: string, token: string | undefined): Promise<string | undefined> {
    const keys = publishDelayedKeys(key);
    let page: PublishedLater;
    do {
      page = await publishDelayedScript.run(this.client, keys, [MOST_MESSAGES, MOST_BYTES]);
      if (page.unreadable > 0) this.logger.error(text.delayedUnreadable(key, page.unreadable));
    } while (!this.stopped && page.refusal === undefined && Number(page.nextMs) <= 0);
    const { nextMs, refusal } = page;
    if (nextMs === undefined) {
      this.sentTo.delete(key);
      await this.noteEmpty(key, token);
      return undefined;
    }
    if (token === undefined) await this.list.add(key);
    if (refusal === undefined) this.note(key, token, Math.max(nextMs, 0), 'some');
    else this.note(key, token, REFUSED_MS, 'refusal');
    return refusal === undefined ? undefined : text.delayedRefused(key, refusal);
  }

  private async noteEmpty(key: string, token: string | undefined): Promise<void> {
    const last = this.lastChecks.get(key);
    const stillEmpty = last?.found === 'nothing' && last.token === token;
    // Not taken off the list at once: the next message would only list it again.
    if (token !== undefined && !stillEmpty) return this.note(key, token, EMPTY_MS, 'nothing');
    if (token !== undefined) await this.list.remove(key, token);
    this.lastChecks.delete(key);
  }

  private note(
    key: string,
    token: string | undefined,
    inMs: number,
    found: LastCheck['found'],
  ): void {
    const nextAt = performance.now() + (found === 'foreign' ? inMs : Math.min(inMs, RECHECK_MS));
    this.lastChecks.set(key, { token, nextAt, found });
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
type TextOf = (reason: string) => string;

const faultOf = (error: unknown, textOf: TextOf): string | undefined =>
  isRedisReply(error) ? textOf(errorText(error)) : undefined;
