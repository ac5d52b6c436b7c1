import type { LoggerService } from '@nestjs/common';
import type { Redis } from 'ioredis';
import { isOwnKey } from '../../wire/stream-keys.js';
import { streamOfPartition } from '../../wire/partitions.js';
import { keyPattern, wildcardMatcher } from '../../wire/wildcard.js';
import type { StreamPartitions } from '../../options/resolved-options.js';
import { reconnectDelayMs } from '../../redis/connect/retry-until-done.js';
import { errorText, isRedisReply } from '../../redis/server/redis-errors.js';
import { scanStreams } from '../../redis/read/scan-streams.js';
import type { ConsumedStream, ConsumedWildcards } from '../consumed-stream.js';
import * as text from '../consumer.messages.js';
import { FaultLog } from '../../redis/connect/fault-log.js';
import type { FlowSet, FollowedStream } from '../flow-set.js';
import type { Groups } from './groups.js';
import type { KnownWildcards } from './known-wildcards.js';

export interface StreamDiscoveryParts extends ConsumedWildcards {
  readonly client: Redis;
  readonly keyPrefix: string;
  readonly intervalMs: number;
  /** The streams that have some: their keys are read by their owners, and no wildcard means them. */
  readonly partitions: StreamPartitions;
  readonly flows: FlowSet;
  readonly groups: Groups;
  readonly known: KnownWildcards;
  readonly follow: (stream: ConsumedStream) => FollowedStream;
  /** Told of a stream that is read from now on. */
  readonly onFound: (followed: FollowedStream) => void;
  readonly logger: LoggerService;
}

/** Looks for streams that the wildcards mean, at start and from time to time, and lets go of those that vanished. */
export class StreamDiscovery {
  private readonly match: string;
  private readonly means: readonly ((stream: string) => boolean)[];
  /** Why streams are left alone, by key. */
  private leftAlone = new Map<string, string>();
  private failures = 0;
  private readonly faults: FaultLog;
  private timer: NodeJS.Timeout | undefined;
  private underWay: Promise<void> | undefined;
  private readonly stopping = new AbortController();
  private onFirstLook: (() => void) | undefined;

  constructor(private readonly parts: StreamDiscoveryParts) {
    this.faults = new FaultLog(parts.logger);
    this.match = keyPattern(parts.keyPrefix, parts.wildcards);
    this.means = parts.wildcards.map((wildcard) => wildcardMatcher(wildcard));
  }

  /** Fulfilled after the first look, also where Redis refused it, or once it is stopped. */
  start(): Promise<void> {
    this.schedule(0);
    return new Promise((resolve) => {
      this.onFirstLook = resolve;
    });
  }

  /** Fulfilled once nothing more will be found. */
  async stop(): Promise<void> {
    this.stopping.abort();
    clearTimeout(this.timer);
    this.onFirstLook?.();
    await this.underWay;
  }

  private schedule(delayMs: number): void {
    if (this.stopping.signal.aborted) return;
    this.timer = setTimeout(() => {
      this.underWay = this.run();
    }, delayMs);
  }

  private async run(): Promise<void> {
    const { intervalMs } = this.parts;
    const since = performance.now();
    try {
      await this.look();
      this.failures = 0;
      this.faults.over('look');
    } catch (error) {
      if (this.stopping.signal.aborted) return;
      this.failures++;
      this.faults.say(text.lookFailed(errorText(error)), 'look');
    }
    this.onFirstLook?.();
    const tookMs = performance.now() - since;
    // A stream that a look just missed is found at the end of the next one: both are part of the interval.
    const restMs = Math.max(intervalMs / 2, intervalMs - 2 * tookMs);
    this.schedule(this.failures === 0 ? restMs : Math.min(restMs, reconnectDelayMs(this.failures)));
  }

  private async look(): Promise<void> {
    const { client, known, flows } = this.parts;
    await known.remember();
    const seen = new Set<string>();
    let refused: unknown;
    for await (const keys of scanStreams(client, this.match, this.stopping.signal)) {
      const taken = keys.filter((key) => !seen.has(key) && this.isMeant(key));
      for (const key of taken) seen.add(key);
      await Promise.all(
        taken.map((key) => this.take(key).catch((error: unknown) => (refused = error))),
      );
    }
    this.leftAlone = new Map([...this.leftAlone].filter(([key]) => seen.has(key)));
    for (const followed of flows.vanished) await this.letGo(followed);
    // Not everything that was there has its group yet.
    if (refused !== undefined) throw refused;
    await known.looked();
  }

  private isMeant(key: string): boolean {
    const stream = this.nameOf(key);
    const { partitions } = this.parts;
    if (partitions.has(stream) || partitions.has(streamOfPartition(stream) ?? '')) return false;
    return !isOwnKey(key) && this.means.some((means) => means(stream));
  }

  /** @throws where the connection broke */
  private async take(key: string): Promise<void> {
    const { flows, groups } = this.parts;
    const known = flows.find(key);
    if (known !== undefined && flows.isPresent(known.flow)) return;
    let its = known;
    try {
      its ??= this.parts.follow(this.parts.consumed(this.nameOf(key)));
    } catch (error) {
      return this.leaveAlone(key, errorText(error));
    }
    try {
      if (await groups.ensure(its)) this.found(its);
    } catch (error) {
      // One that our user may not touch harms no other.
      if (isRedisReply(error) && error.message.includes('NOPERM')) {
        return this.leaveAlone(key, error.message);
      }
      throw error;
    }
  }

  private found(followed: FollowedStream): void {
    if (this.stopping.signal.aborted) return;
    this.parts.flows.include(followed);
    this.parts.onFound(followed);
  }

  /** Once nothing of it is in hand, there is nothing to keep of a stream that is gone. */
  private async letGo(followed: FollowedStream): Promise<void> {
    const { flows, groups } = this.parts;
    const { runningCount, inHand } = followed.flow;
    if (runningCount > 0 || inHand.size > 0) return;
    if (await groups.ensure(followed)) this.found(followed);
    else flows.forget(followed);
  }

  private leaveAlone(key: string, reason: string): void {
    if (this.leftAlone.get(key) === reason) return;
    this.leftAlone.set(key, reason);
    this.parts.logger.error(text.streamLeftAlone(this.nameOf(key), reason));
  }

  private nameOf(key: string): string {
    return key.slice(this.parts.keyPrefix.length);
  }
}
