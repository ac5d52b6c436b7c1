import type { Redis } from 'ioredis';
import { connectionFor, dropConnection, openConnection } from '../../redis/connect/connection.js';
import { listenToSentinels } from '../../redis/connect/opened-connection.js';
import { errorText } from '../../redis/server/redis-errors.js';
import { CliError } from '../cli.error.js';
import type { ConnectionTarget } from './connection-of.js';

const NAME = 'nestjs-redis-streams:command-line';

/** An open connection. */
export interface OpenRedis {
  readonly client: Redis;
  close(): void;
}

/**
 * Connects without retries: an operator wants to know at once what is wrong.
 *
 * @param role `blocking` for a connection that blocks in Redis
 * @throws CliError, which never contains the password of the URL
 */
export async function openRedis(
  { connection: option, where }: ConnectionTarget,
  timeoutMs: number,
  role: 'operator' | 'blocking' = 'operator',
): Promise<OpenRedis> {
  const connection = connectionFor(option, role, NAME);
  const { client } = connection;
  const { reasonOf } = listenToSentinels(client);
  let why = 'it does not answer';
  client.on('error', (error: unknown) => (why = reasonOf(error) ?? errorText(error)));
  try {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(reject, timeoutMs);
      const settle = (end: () => void) => (): void => {
        clearTimeout(timer);
        end();
      };
      client.once('ready', settle(resolve)).once('end', settle(reject));
      openConnection(connection);
    });
  } catch {
    dropConnection(connection);
    throw new CliError(`Redis at ${where} cannot be reached: ${why}`);
  }
  return { client, close: () => dropConnection(connection) };
}
