import type { LoggerService } from '@nestjs/common';
import type { ResolvedClientOptions } from '../options/resolved-options.js';
import { OpenedConnection, type ConnectionPurpose } from '../redis/opened-connection.js';
import type { MessageEncoder } from './message-encoder.js';
import { OncePublisher } from './once-publisher.js';
import { PlainPublisher } from './plain-publisher.js';
import type { Publisher } from './publishing.js';
import { Requests } from './requests.js';

/** An opened connection, and what sends on it. */
export interface OpenedClient {
  readonly connection: OpenedConnection;
  readonly publisher: Publisher;
  readonly requests: Requests;
}

/** Opens what a client needs, as its options say. */
export function openClient(
  options: ResolvedClientOptions,
  encoder: MessageEncoder,
  logger: LoggerService,
  watch: Pick<ConnectionPurpose, 'report' | 'prepare'>,
): OpenedClient {
  const connection = new OpenedConnection(options.connection, {
    role: 'publish',
    name: 'nestjs-redis-streams:client',
    called: 'client',
    logger,
    ...watch,
  });
  const { client } = connection;
  const { publishTimeoutMs, publishDedup } = options;
  const publisher =
    publishDedup === false
      ? new PlainPublisher(client, publishTimeoutMs, (said) => void logger.warn(said))
      : new OncePublisher(client, publishTimeoutMs, publishDedup.windowMs);
  const requests = new Requests({ options, encoder, publisher, commands: connection, logger });
  return { connection, publisher, requests };
}
