import type { LoggerService } from '@nestjs/common';
import { channels } from '../../events/channels.js';
import type { Connection } from './connection.js';
import { connected, ended, unreachable } from './redis.messages.js';
import { errorText, hideSecrets } from '../server/redis-errors.js';
import { hearSentinels } from './sentinel-reason.js';

/** The states that Nest's own Redis transport reports as its `status`. */
export type RedisStreamsStatus = 'connected' | 'disconnected' | 'reconnecting';

/**
 * Follows a connection: says each change of state once in the log, and reports it.
 *
 * @param role how the log names the connection
 * @returns ends the watch
 */
export function watchConnection(
  { client, owned }: Connection,
  role: string,
  logger: LoggerService,
  report: (status: RedisStreamsStatus) => void,
): () => void {
  let state: RedisStreamsStatus | undefined;
  let why: string | undefined;
  const sentinels = hearSentinels(client);
  const turn = (next: RedisStreamsStatus): boolean => {
    if (state === next) return false;
    state = next;
    report(next);
    return true;
  };
  const onReady = (): void => {
    why = undefined;
    if (turn('connected')) logger.log(connected(role));
  };
  const onReconnecting = (): void => {
    if (!turn('reconnecting')) return;
    logger.warn(unreachable(role, why));
    channels.reconnecting.publish({ connection: role, reason: why });
  };
  const onEnd = (): void => {
    if (turn('disconnected')) logger.error(ended(role, why));
  };
  client.on('ready', onReady);
  client.on('reconnecting', onReconnecting);
  client.on('end', onEnd);
  // Without a listener ioredis prints each error; here the latest is said with the change of state.
  const onError = (error: unknown): void => {
    hideSecrets(error);
    const sentinelReason = sentinels.reasonOf(error);
    why = sentinelReason ?? errorText(error);
    // Sentinels are asked over and over within one attempt to connect.
    if (sentinelReason !== undefined) onReconnecting();
  };
  client.on('error', onError);
  if (client.status === 'ready') onReady();
  return () => {
    client.off('ready', onReady);
    client.off('reconnecting', onReconnecting);
    client.off('end', onEnd);
    // One of ours is being closed, and may still fail.
    if (owned) return;
    client.off('error', onError);
    sentinels.end();
  };
}
