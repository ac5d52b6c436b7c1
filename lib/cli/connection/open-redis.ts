import type { Redis } from 'ioredis';
import { connectionFor, dropConnection, openConnection } from '../../redis/connect/connection.js';
import { errorText } from '../../redis/server/redis-errors.js';
import { listenToSentinels } from '../../redis/connect/connection-watch.js';
import { CliError } from '../cli.error.js';
import * as text from '../cli.messages.js';
import type { ConnectionTarget } from './connection-of.js';

const NAME = 'nestjs-redis-streams:command-line';

/** A connection that is there, and its end. */
export interface OpenRedis {
  readonly client: Redis;
  close(): void;
}

/**
 * Connects, once: an operator wants to know at once what is wrong.
 *
 * @param role `blocking` for a connection that waits in Redis
 * @throws CliError without the password of the URL
 */
export async function openRedis(
  { connection: option, where }: ConnectionTarget,
  timeoutMs: number,
  role: 'operator' | 'blocking' = 'operator',
): Promise<OpenRedis> {
  const connection = connectionFor(option, role, NAME);
  const { client } = connection;
  const { reasonOf } = listenToSentinels(client);
  let why: string = text.NO_ANSWER;
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
    throw new CliError(text.notReached(where, why));
  }
  return { client, close: () => dropConnection(connection) };
}
