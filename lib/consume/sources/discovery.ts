import type { LoggerService } from '@nestjs/common';
import type { Redis } from 'ioredis';
import type { ResolvedServerOptions } from '../../options/resolved-options.js';
import { FaultLog, reconnectDelayMs } from '../../redis/connect/retry-until-done.js';
import { scanStreams } from '../../redis/read/streams.js';
import { errorText, isRefusal } from '../../redis/server/redis-errors.js';
import { streamOfPartition } from '../../wire/partitions.js';
import { isOwnKey } from '../../wire/stream-keys.js';
import { keyPattern, wildcardMatcher } from '../../wire/stream-names.js';
import * as text from '../consumer.messages.js';
import type { FollowedStream, FollowedStreams } from '../followed-streams.js';
import type { PipelineBuilder } from '../pipeline-builder.js';
import type { ConsumedWildcards } from '../stream-place.js';
import type { Demand } from '../waiting.js';
import type { AnnouncedStreams } from './announced-streams.js';
import type { Groups, KnownWildcards } from './groups.js';
import type { Recovery } from './recovery.js';
import type { Resumption } from './resumption.js';

/**
 * Finds streams that the wildcards match: those that clients announce, and others by a look at start and from time to time. Lets go of
 * those that vanished.
 */
export class StreamDiscovery {
  private readonly match: string;
  private readonly matchers: readonly ((stream: string) => boolean)[];
  /** Why streams are left alone, by key. */
  private leftAlone = new Map<string, string>();
  /** What is being done with a stream, by key: a look and an announcement may come at the same time. */
  private readonly underWayOf = new Map<string, Promise<void>>();
  private failures = 0;
  private readonly faults: FaultLog;
  private timer: NodeJS.Timeout | undefined;
  private underWay: Promise<void> | undefined;
  private readonly stopping = new AbortController();
  private onFirstLook: (() => void) | undefined;

  constructor(
    private readonly options: ResolvedServerOptions,
    private readonly asked: ConsumedWildcards,
    private readonly client: Redis,
    private readonly streams: FollowedStreams,
    private readonly builder: PipelineBuilder,
    private readonly groups: Groups,
    private readonly known: KnownWildcards,
    private readonly resumption: Resumption,
    private readonly recovery: Recovery,
    private readonly demand: Demand,
    private readonly announced: AnnouncedStreams,
    private readonly logger: LoggerService,
  ) {
    this.faults = new FaultLog(logger);
    this.match = keyPattern(options.keyPrefix, asked.wildcards);
    this.matchers = asked.wildcards.map((wildcard) => wildcardMatcher(wildcard));
  }

  /** Resolves after the first look, even if Redis refused it, or once it is stopped. */
  start(): Promise<void> {
    this.schedule(0);
    this.announced.start();
    void this.followAnnounced();
    return new Promise((resolve) => {
      this.onFirstLook = resolve;
    });
  }

  /** Resolves once nothing more will be found. */
  async stop(): Promise<void> {
    this.stopping.abort();
    clearTimeout(this.timer);
    this.announced.stop();
    this.onFirstLook?.();
    await Promise.all([this.underWay, ...this.underWayOf.values()]);
  }

  private schedule(delayMs: number): void {
    if (this.stopping.signal.aborted) return;
    this.timer = setTimeout(() => {
      this.underWay = this.run();
    }, delayMs);
  }

  private async followAnnounced(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      const keys = await this.announced.next();
      if (signal.aborted) return;
      for (const key of keys) {
        // If that fails, the next look tries it again, and reports it.
        if (this.isMatched(key)) this.take(key).catch(() => undefined);
      }
    }
  }

  private async run(): Promise<void> {
    const intervalMs = this.options.discoveryIntervalMs;
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
    await this.known.remember();
    const seen = new Set<string>();
    let refused: unknown;
    for await (const keys of scanStreams(this.client, this.match, this.stopping.signal)) {
      const taken = keys.filter((key) => !seen.has(key) && this.isMatched(key));
      for (const key of taken) seen.add(key);
      await Promise.all(
        taken.map((key) => this.take(key).catch((error: unknown) => (refused = error))),
      );
    }
    this.leftAlone = new Map([...this.leftAlone].filter(([key]) => seen.has(key)));
    for (const followed of this.streams.missing) {
      await this.once(followed.keys.stream, () => this.letGo(followed)).catch(
        (error: unknown) => (refused = error),
      );
    }
    // Not every stream has its group yet.
    if (refused !== undefined) throw refused;
    await this.known.looked();
  }

  /** Streams with partitions are read by their owners, and matched by no wildcard. */
  private isMatched(key: string): boolean {
    const stream = this.nameOf(key);
    const { partitions } = this.options;
    if (partitions.has(stream) || partitions.has(streamOfPartition(stream) ?? '')) return false;
    return !isOwnKey(key) && this.matchers.some((matches) => matches(stream));
  }

  /** @throws if the connection broke */
  private take(key: string): Promise<void> {
    return this.once(key, () => this.follow(key));
  }

  /** Does something with a stream unless that is under way. */
  private once(key: string, step: () => Promise<void>): Promise<void> {
    const known = this.underWayOf.get(key);
    if (known !== undefined) return known;
    const underWay = step().finally(() => this.underWayOf.delete(key));
    this.underWayOf.set(key, underWay);
    return underWay;
  }

  private async follow(key: string): Promise<void> {
    let followed = this.streams.get(key);
    // What is set aside comes back by itself.
    if (followed !== undefined && !this.streams.isMissing(followed)) return;
    try {
      followed ??= this.builder.follow(this.asked.consumed(this.nameOf(key)));
    } catch (error) {
      return this.leaveAlone(key, errorText(error));
    }
    try {
      if (await this.groups.ensure(followed)) this.found(followed);
    } catch (error) {
      // A stream that Redis refuses does not keep us from reading others.
      if (isRefusal(error)) return this.leaveAlone(key, errorText(error));
      throw error;
    }
  }

  /** A stream is read from now on. */
  private found(followed: FollowedStream): void {
    const { pipeline, keys } = followed;
    if (this.stopping.signal.aborted || pipeline === undefined) return;
    this.streams.include(followed);
    this.resumption.restart(pipeline);
    this.recovery.include(pipeline);
    this.demand.raise(keys.stream);
  }

  /** Once nothing of a stream that is gone is in hand, there is nothing to keep. */
  private async letGo(followed: FollowedStream): Promise<void> {
    const { pipeline } = followed;
    if (pipeline !== undefined && pipeline.runningCount + pipeline.inHand.size > 0) return;
    if (await this.groups.ensure(followed)) return this.found(followed);
    this.streams.forget(followed);
    this.builder.letGo(followed);
  }

  private leaveAlone(key: string, reason: string): void {
    if (this.leftAlone.get(key) === reason) return;
    this.leftAlone.set(key, reason);
    this.logger.error(text.streamLeftAlone(this.nameOf(key), reason));
  }

  private nameOf(key: string): string {
    return key.slice(this.options.keyPrefix.length);
  }
}
