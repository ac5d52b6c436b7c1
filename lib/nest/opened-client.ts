import type { LoggerService } from '@nestjs/common';
import type { ResolvedClientOptions } from '../options/resolved-options.js';
import type { MessageEncoder } from '../publish/message-encoder.js';
import type { MessagePublisher } from '../publish/message-publisher.js';
import { RoutingPublisher } from '../publish/routing-publisher.js';
import { type ConnectionPurpose, OpenedConnection } from '../redis/connect/opened-connection.js';
import { Requests } from '../requests/requests.js';
import { comparePartitionCounts } from './partition-counts.js';

/** The events of a client's connection, as ioredis names them. */
export interface RedisStreamsClientEvents extends Record<never, Function> {
  connect: () => void;
  ready: () => void;
  error: (error: Error) => void;
  close: () => void;
  reconnecting: () => void;
  end: () => void;
}

/** A client's open connection, and what uses it. */
export interface OpenedClient {
  readonly connection: OpenedConnection;
  readonly publisher: RoutingPublisher;
  readonly requests: Requests;
}

export function openClient(
  options: ResolvedClientOptions,
  encoder: MessageEncoder,
  messages: MessagePublisher,
  logger: LoggerService,
  {
    serverChecks,
    ...listeners
  }: Pick<ConnectionPurpose, 'report' | 'prepare'> & {
    /** In the module: whether the app's server already publishes what is due. */
    readonly serverChecks: (() => boolean) | undefined;
  },
): OpenedClient {
  const connection = new OpenedConnection(options.connection, {
    role: 'publish',
    name: 'nestjs-redis-streams:client',
    called: 'client',
    logger,
    ...listeners,
  });
  const publisher = new RoutingPublisher(connection.client, options, logger, serverChecks);
  const requests = new Requests(options, encoder, messages, publisher, connection, logger);
  void comparePartitionCounts(connection, options, logger);
  return { connection, publisher, requests };
}
