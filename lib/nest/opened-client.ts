import type { LoggerService } from '@nestjs/common';
import type { ResolvedClientOptions } from '../options/resolved-options.js';
import { OpenedConnection, type ConnectionPurpose } from '../redis/connect/opened-connection.js';
import type { MessageEncoder } from '../publish/message-encoder.js';
import { ClientPublisher } from '../publish/client-publisher.js';
import { comparePartitionCounts } from '../publish/partition-counts.js';
import { Requests } from '../requests/requests.js';
import type { SendingOrder } from '../publish/sending-order.js';

/** An opened connection, and what sends on it. */
export interface OpenedClient {
  readonly connection: OpenedConnection;
  readonly publisher: ClientPublisher;
  readonly requests: Requests;
}

/** Opens what a client needs, as its options say. */
export function openClient(
  options: ResolvedClientOptions,
  encoder: MessageEncoder,
  logger: LoggerService,
  {
    serverChecks,
    order,
    ...watch
  }: Pick<ConnectionPurpose, 'report' | 'prepare'> & {
    /** In the module: whether a server beside it looks for what is due. */
    readonly serverChecks: (() => boolean) | undefined;
    readonly order: SendingOrder;
  },
): OpenedClient {
  const connection = new OpenedConnection(options.connection, {
    role: 'publish',
    name: 'nestjs-redis-streams:client',
    called: 'client',
    logger,
    ...watch,
  });
  const { client } = connection;
  const publisher = new ClientPublisher(client, options, logger, serverChecks);
  const requests = new Requests({
    options,
    encoder,
    publisher,
    order,
    commands: connection,
    logger,
  });
  void comparePartitionCounts(connection, options, logger);
  return { connection, publisher, requests };
}
