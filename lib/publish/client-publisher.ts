import type { LoggerService } from '@nestjs/common';
import type { Redis } from 'ioredis';
import { DelayedMessages } from './delayed-messages.js';
import type { ResolvedClientOptions } from '../options/resolved-options.js';
import { OncePublisher } from './once-publisher.js';
import { PlainPublisher } from './plain-publisher.js';
import type { PublishReceipt } from './publish-receipt.js';
import type { Publisher, PublishOutcome, Publishing } from './publishing.js';

/** What a client publishes, now and later, and its share in seeing to what is due. */
export class ClientPublisher implements Publisher {
  private readonly now: Publisher;
  /** The same where message IDs are remembered: then all messages keep the order of their calls. */
  private readonly later: Publisher;
  private readonly delayed: DelayedMessages;

  /** @param serverChecks in the module: whether a server beside this client looks for what is due */
  constructor(
    client: Redis,
    { publishTimeoutMs, publishDedup }: ResolvedClientOptions,
    logger: LoggerService,
    private readonly serverChecks?: () => boolean,
  ) {
    const windowMs = publishDedup === false ? 0 : publishDedup.windowMs;
    this.later = new OncePublisher(client, publishTimeoutMs, windowMs);
    this.now =
      publishDedup === false
        ? new PlainPublisher(client, publishTimeoutMs, (said) => logger.warn(said))
        : this.later;
    this.delayed = new DelayedMessages(client, logger);
    if (serverChecks !== undefined) this.check();
  }

  get isClosing(): boolean {
    return this.now.isClosing;
  }

  publish(message: Publishing): Promise<PublishReceipt> {
    if (message.due === undefined) return this.now.publish(message);
    this.check();
    return this.later.publish(message);
  }

  async publishAll(messages: readonly Publishing[]): Promise<PublishOutcome[]> {
    const hasLater = messages.some(({ due }) => due !== undefined);
    if (hasLater) this.check();
    if (!hasLater || this.now === this.later) return this.now.publishAll(messages);
    const outcomes: PublishOutcome[] = [];
    const send = async (publisher: Publisher, isLater: boolean): Promise<void> => {
      const its = [...messages.entries()].filter(([, { due }]) => (due !== undefined) === isLater);
      if (its.length === 0) return;
      const sent = await publisher.publishAll(its.map(([, message]) => message));
      its.forEach(([index], n) => Object.assign(outcomes, { [index]: sent[n] }));
    };
    await Promise.all([send(this.now, false), send(this.later, true)]);
    return outcomes;
  }

  async close(): Promise<void> {
    const closed = new Set([this.now, this.later]);
    // Redis may not answer its check any more, which is no loss.
    void this.delayed.stop();
    await Promise.all([...closed].map((publisher) => publisher.close()));
  }

  private check(): void {
    this.delayed.start(() => this.serverChecks?.() !== true);
  }
}
