import type { LoggerService } from '@nestjs/common';
import type { Redis } from 'ioredis';
import type { ResolvedServerOptions } from '../../options/resolved-options.js';
import { clusterOf } from '../../redis/connect/cluster-client.js';
import {
  type Connection,
  connectionFor,
  dropConnection,
  openConnection,
} from '../../redis/connect/connection.js';
import { errorText, isRedisReply } from '../../redis/server/redis-errors.js';
import { newStreamsChannel } from '../../wire/stream-keys.js';
import * as text from '../consumer.messages.js';
import { Demand } from '../waiting.js';

/**
 * Hears of streams that clients begin to publish to. A subscription needs a connection of its own, except in a cluster, whose client
 * has one for that.
 */
export class AnnouncedStreams {
  private readonly heard = new Demand();
  private connection: Connection | undefined;
  private client: Redis;
  private readonly channel: string;

  constructor(
    private readonly options: Pick<ResolvedServerOptions, 'connection' | 'consumer' | 'keyPrefix'>,
    private readonly commands: Redis,
    private readonly logger: LoggerService,
  ) {
    this.client = commands;
    this.channel = newStreamsChannel(options.keyPrefix);
  }

  start(): void {
    if (clusterOf(this.commands) === undefined) {
      const { connection, consumer } = this.options;
      this.connection = connectionFor(connection, 'blocking', `${consumer}:announcements`);
      this.client = this.connection.client;
      // If the connection is lost again meanwhile, nothing would catch that, and the process would end: we subscribe ourselves.
      this.client.options.autoResubscribe = false;
      openConnection(this.connection);
    }
    this.client.on('message', this.onMessage);
    this.client.on('ready', this.subscribe);
    if (this.client.status === 'ready') this.subscribe();
  }

  /** Resolves once some were announced: their keys. */
  next(): Promise<readonly string[]> {
    return this.heard.next();
  }

  stop(): void {
    this.client.off('message', this.onMessage);
    this.client.off('ready', this.subscribe);
    if (this.connection === undefined) {
      this.client.unsubscribe(this.channel).catch(() => undefined);
    } else dropConnection(this.connection);
  }

  private readonly subscribe = (): void => {
    this.client.subscribe(this.channel).catch((error: unknown) => {
      // Otherwise the connection was lost, and there will be another one.
      if (!isRedisReply(error)) return;
      this.logger.warn(text.notAnnounced(this.channel, errorText(error)));
      this.stop();
    });
  };

  private readonly onMessage = (channel: string, key: string): void => {
    if (channel === this.channel) this.heard.raise(key);
  };
}
