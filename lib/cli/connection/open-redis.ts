import type { Redis } from 'ioredis';
import { connectionFor, dropConnection, openConnection } from '../../redis/connect/connection.js';
import { faultOf } from '../../redis/connect/connection-faults.js';
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
    const { reason = 'it does not answer', isRefusal = false } = faultOf(client) ?? {};
    dropConnection(connection);
    throw new CliError(
      `Redis at ${where} ${isRefusal ? 'refuses the connection' : 'cannot be reached'}: ${reason}`,
    );
  }
  return { client, close: () => dropConnection(connection) };
}
