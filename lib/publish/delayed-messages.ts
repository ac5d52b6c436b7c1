import { randomBytes } from 'node:crypto';
import type { LoggerService } from '@nestjs/common';
import type { Redis } from 'ioredis';
import { DELAYED_STREAMS_KEY, delayedKeys, publishedKeys } from '../wire/stream-keys.js';
import { JointWrite } from '../redis/connect/joint-write.js';
import { errorText, isRedisReply } from '../redis/server/redis-errors.js';
import {
  publishDelayedScript,
  type PublishedLater,
} from '../redis/scripts/publish/publish-delayed.script.js';
import { unlistDelayedScript } from '../redis/scripts/publish/unlist-delayed.script.js';
import * as text from './delayed.messages.js';

const EVERY_MS = 200;

/** One script serves nobody else meanwhile: so many messages, and about so many bytes. */
const MOST_MESSAGES = 100;
const MOST_BYTES = 256 * 1024;

/** How long to believe what was found: somebody may have deleted keys, or a failover lost some. */
const BELIEVED_MS = 5_000;

/** After a stream was found empty, so long before it is looked at again, and taken from the list if it still is. */
const EMPTY_MS = 2_000;

/** After Redis refused to publish something. */
const REFUSED_MS = 1_000;

/** A stream where messages wait, as far as is known here. */
interface Known {
  /** What stood beside it in the list when it was looked at; nothing where it was not in it. */
  readonly token: string | undefined;
  /** When to look again, by `performance.now()`, if nothing is added. */
  readonly lookAt: number;
  /** Whether nothing waited there. */
  readonly isEmpty: boolean;
}

/** Publishes what is due in all streams where messages wait, whoever brought them. Any number of these can be at it. */
export class DelayedMessages {
  private readonly jointWrite: JointWrite;
  private readonly known = new Map<string, Known>();
  private checking: Promise<void> | undefined;
  /** By the stream's key. One where much is due takes its time, and holds up no other. */
  private readonly publishing = new Map<string, Promise<void>>();
  /** What was said last, of a stream by its key, of the list under ''. */
  private readonly faults = new Map<string, string>();
  private interval: NodeJS.Timeout | undefined;
  /** For what is due before the next regular check. */
  private sooner: NodeJS.Timeout | undefined;
  private stopped = false;

  constructor(
    private readonly client: Redis,
    private readonly logger: LoggerService,
  ) {
    this.jointWrite = new JointWrite(client);
  }

  /** Checks at intervals, as long as something else keeps the process alive, and where `isWanted` says so. */
  start(isWanted: () => boolean = () => true): void {
    if (this.interval !== undefined || this.stopped) return;
    this.interval = setInterval(() => {
      if (isWanted()) this.check();
    }, EVERY_MS);
    this.interval.unref();
  }

  /** Begins to publish what is due. Does nothing where it is at it already or there is no connection. */
  check(): void {
    if (this.stopped || this.client.status !== 'ready') return;
    clearTimeout(this.sooner);
    this.checking ??= this.checkAll().finally(() => {
      this.checking = undefined;
    });
  }

  /** Fulfilled once nothing more is published from here. */
  async stop(): Promise<void> {
    this.stopped = true;
    clearInterval(this.interval);
    clearTimeout(this.sooner);
    await this.checking;
    await Promise.all(this.publishing.values());
  }

  private async checkAll(): Promise<void> {
    try {
      const listed = await this.client.hgetall(DELAYED_STREAMS_KEY);
      this.say('', undefined);
      if (this.stopped) return;
      const now = performance.now();
      const tokens = new Map(Object.entries(listed));
      // Also what is not listed any more: the list may have been deleted.
      const keys = new Set([...tokens.keys(), ...this.known.keys()]);
      for (const key of keys) {
        const token = tokens.get(key);
        if (!this.publishing.has(key) && this.isDue(key, token, now)) this.begin(key, token);
      }
    } catch (error) {
      this.say('', faultOf(error, text.checkFailed));
    }
    this.wakeInTime();
  }

  private begin(key: string, token: string | undefined): void {
    this.jointWrite.begin();
    const done = this.publish(key, token)
      .catch((error: unknown) => {
        this.note(key, token, REFUSED_MS);
        return faultOf(error, (reason) => text.refused(key, reason));
      })
      .then((fault) => {
        this.say(key, fault);
        this.publishing.delete(key);
        this.wakeInTime();
      });
    this.publishing.set(key, done);
  }

  private say(key: string, fault: string | undefined): void {
    if (fault === undefined) this.faults.delete(key);
    else if (fault !== this.faults.get(key)) {
      this.faults.set(key, fault);
      this.logger.warn(fault);
    }
  }

  private isDue(key: string, token: string | undefined, now: number): boolean {
    const known = this.known.get(key);
    if (known === undefined || known.lookAt <= now) return true;
    // Whoever adds something writes another token.
    return token !== undefined && token !== known.token;
  }

  /** Publishes what is due for one stream, a page after the other; gives what went wrong. */
  private async publish(key: string, token: string | undefined): Promise<string | undefined> {
    const { delayed, messages } = delayedKeys(key);
    const { published, entryIds } = publishedKeys(key, '');
    const keys = [key, delayed, messages, published, entryIds];
    let page: PublishedLater;
    do {
      page = await publishDelayedScript.run(this.client, keys, [MOST_MESSAGES, MOST_BYTES]);
    } while (!this.stopped && page.refusal === undefined && Number(page.nextMs) <= 0);
    const { nextMs, refusal } = page;
    if (nextMs === undefined) {
      await this.foundEmpty(key, token);
      return undefined;
    }
    if (token === undefined) {
      await this.client.hsetnx(DELAYED_STREAMS_KEY, key, randomBytes(8).toString('hex'));
    }
    this.note(key, token, refusal === undefined ? Math.max(nextMs, 0) : REFUSED_MS);
    return refusal === undefined ? undefined : text.refused(key, refusal);
  }

  private async foundEmpty(key: string, token: string | undefined): Promise<void> {
    const known = this.known.get(key);
    const stillEmpty = known?.isEmpty === true && known.token === token;
    // Not at once: the next message would list it again, and the one after that.
    if (token !== undefined && !stillEmpty) return this.note(key, token, EMPTY_MS, true);
    if (token !== undefined) {
      await unlistDelayedScript.run(this.client, [DELAYED_STREAMS_KEY], [key, token]);
    }
    this.known.delete(key);
  }

  private note(key: string, token: string | undefined, inMs: number, isEmpty = false): void {
    const lookAt = performance.now() + Math.min(inMs, BELIEVED_MS);
    this.known.set(key, { token, lookAt, isEmpty });
  }

  /** Checks sooner than at the next interval where something is due before. */
  private wakeInTime(): void {
    let first = Number.POSITIVE_INFINITY;
    for (const [key, { lookAt }] of this.known) {
      if (!this.publishing.has(key)) first = Math.min(first, lookAt);
    }
    const inMs = first - performance.now();
    if (this.stopped || inMs >= EVERY_MS) return;
    clearTimeout(this.sooner);
    this.sooner = setTimeout(() => this.check(), Math.max(1, Math.ceil(inMs)));
    this.sooner.unref();
  }
}

/** A connection that drops is said by those who watch it. */
const faultOf = (error: unknown, say: (reason: string) => string): string | undefined =>
  isRedisReply(error) ? say(errorText(error)) : undefined;
