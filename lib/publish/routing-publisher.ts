import type { LoggerService } from '@nestjs/common';
import type { Redis } from 'ioredis';
import { outsideOfCalls } from '../events/async-context.js';
import type { ResolvedClientOptions } from '../options/resolved-options.js';
import { Announcements } from './announcements.js';
import { DeduplicatingPublisher } from './deduplicating-publisher.js';
import { DelayedMessages } from './delayed-messages.js';
import type {
  EntryPublisher,
  OutgoingEntry,
  PublishOutcome,
  PublishReceipt,
} from './entry-publisher.js';
import { PlainPublisher } from './plain-publisher.js';

/** Sends each entry to the publisher that it needs, and publishes delayed messages when they are due. */
export class RoutingPublisher implements EntryPublisher {
  private readonly immediate: EntryPublisher;
  /** The same publisher if message IDs are remembered: then all messages keep the order of their calls. */
  private readonly delaying: EntryPublisher;
  private readonly delayed: DelayedMessages;
  private readonly announcements: Announcements;

  /** @param serverChecks in the module: whether the app's server already publishes what is due */
  constructor(
    client: Redis,
    { publishTimeoutMs, publishDedup, keyPrefix }: ResolvedClientOptions,
    logger: LoggerService,
    private readonly serverChecks?: () => boolean,
  ) {
    const windowMs = publishDedup === false ? 0 : publishDedup.windowMs;
    this.delaying = new DeduplicatingPublisher(client, publishTimeoutMs, windowMs);
    this.immediate =
      publishDedup === false ? new PlainPublisher(client, publishTimeoutMs, logger) : this.delaying;
    this.delayed = new DelayedMessages(client, logger);
    this.announcements = new Announcements(client, keyPrefix);
    if (serverChecks !== undefined) this.startChecks();
  }

  get isClosing(): boolean {
    return this.immediate.isClosing;
  }

  publish(entry: OutgoingEntry): Promise<PublishReceipt> {
    if (entry.due === undefined)
      return this.announcements.follow(entry, this.immediate.publish(entry));
    this.startChecks();
    return this.following([entry], this.delaying.publish(entry));
  }

  async publishAll(entries: readonly OutgoingEntry[]): Promise<PublishOutcome[]> {
    const hasDelayed = entries.some(isDelayed);
    if (hasDelayed) this.startChecks();
    if (!hasDelayed) {
      const [first] = entries;
      const published = this.immediate.publishAll(entries);
      return first === undefined ? published : this.announcements.follow(first, published);
    }
    return this.following(entries.filter(isDelayed), this.publishBoth(entries));
  }

  private async publishBoth(entries: readonly OutgoingEntry[]): Promise<PublishOutcome[]> {
    if (this.immediate === this.delaying) return this.immediate.publishAll(entries);
    const outcomes = new Map<OutgoingEntry, PublishOutcome>();
    const send = async (publisher: EntryPublisher, some: OutgoingEntry[]): Promise<void> => {
      if (some.length === 0) return;
      const sent = await publisher.publishAll(some);
      some.forEach((entry, index) => outcomes.set(entry, sent[index] as PublishOutcome));
    };
    await Promise.all([
      send(
        this.immediate,
        entries.filter((entry) => !isDelayed(entry)),
      ),
      send(this.delaying, entries.filter(isDelayed)),
    ]);
    return entries.map((entry) => outcomes.get(entry) as PublishOutcome);
  }

  async close(): Promise<void> {
    // A check that Redis no longer answers need not be waited for.
    void this.delayed.stop();
    const publishers = new Set([this.immediate, this.delaying]);
    await Promise.all([...publishers].map((publisher) => publisher.close()));
  }

  /** Follows the streams now, and once the messages are stored: a check in between may have found that none waits. */
  private async following<Result>(
    delayed: readonly OutgoingEntry[],
    published: Promise<Result>,
  ): Promise<Result> {
    const follow = (): void => {
      for (const { key } of delayed) this.delayed.follow(key);
    };
    follow();
    try {
      return await published;
    } finally {
      follow();
    }
  }

  private startChecks(): void {
    outsideOfCalls(() => this.delayed.start(() => this.serverChecks?.() !== true));
  }
}

const isDelayed = ({ due }: OutgoingEntry): boolean => due !== undefined;
