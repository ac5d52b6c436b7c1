import type { ModulesContainer } from '@nestjs/core';
import { handlingMethods } from './handler-transports.js';
import { instancesIn } from './instances.js';
import * as text from './nest.messages.js';
import type { ServerRedisStreams } from './server-redis-streams.js';

/**
 * Why handlers of an app get nothing: their server is not connected to the app, or was never started.
 *
 * @returns undefined if they get what arrives, or if the app has no handlers
 */
export function whyUnserved(
  modules: ModulesContainer,
  server: ServerRedisStreams,
): string | undefined {
  // From its first start on it counts what became of messages.
  if (server.tallies !== undefined) return undefined;
  if (server.getHandlers().size > 0) return text.NOT_STARTED;
  const isOnly = instancesIn(modules).length === 1;
  const ours = [...handlingMethods(modules)].filter(
    ({ transport }) => transport === server.transportId || (transport === undefined && isOnly),
  );
  const [first] = ours;
  if (first === undefined) return undefined;
  const { called, decorator, pattern } = first;
  const isCertain = ours.some(({ transport }) => transport !== undefined);
  return text.notConnected(text.decorated(called, decorator, pattern), ours.length, isCertain);
}
