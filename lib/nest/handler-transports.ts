import type { LoggerService } from '@nestjs/common';
import { MetadataScanner, type ModulesContainer } from '@nestjs/core';
import { ListenerMetadataExplorer } from '@nestjs/microservices/listener-metadata-explorer.js';
import { InvalidOptionsError } from '../errors/redis-streams.error.js';
import { instanceOfTransport } from './instance-name.js';
import { instancesIn } from './instances.js';
import * as text from './nest.messages.js';
import { ServerRedisStreams } from './server-redis-streams.js';

/** A method with `@EventPattern` or `@MessagePattern`. */
interface HandlingMethod {
  /** `OrdersController.onOrder` */
  readonly called: string;
  readonly decorator: 'EventPattern' | 'MessagePattern';
  readonly pattern: unknown;
  readonly transport: unknown;
}

/** The methods of an app's controllers that have a pattern, for whatever transport. */
export function* handlingMethods(modules: ModulesContainer): Generator<HandlingMethod> {
  const explorer = new ListenerMetadataExplorer(new MetadataScanner());
  for (const { controllers } of modules.values()) {
    for (const { metatype } of controllers.values()) {
      if (typeof metatype !== 'function') continue;
      // A request-scoped controller has no instance yet.
      for (const found of explorer.explore(Object.create(metatype.prototype))) {
        yield {
          called: `${metatype.name}.${found.methodKey}`,
          decorator: found.isEventHandler ? 'EventPattern' : 'MessagePattern',
          pattern: found.patterns[0],
          transport: found.transport,
        };
      }
    }
  }
}

/**
 * Checks that handlers say which instance they are for, if the app has connected several. Nest gives a handler without a
 * transport's ID to every server, so each group would run it.
 *
 * @throws InvalidOptionsError for the first one that does not
 */
export function requireTransports(modules: ModulesContainer): void {
  const connected = instancesIn(modules).filter(
    ({ get }) => (get(ServerRedisStreams)?.getHandlers().size ?? 0) > 0,
  );
  if (connected.length < 2) return;
  const names = connected.map(({ name }) => name);
  for (const { called, decorator, pattern, transport } of handlingMethods(modules)) {
    if (transport !== undefined) continue;
    throw new InvalidOptionsError(
      text.decorated(called, decorator, pattern),
      "no transport's ID",
      text.transportsAllowed(names, decorator, pattern),
    );
  }
}

/** The names of the instances that handlers are for, by their transports. */
export const instancesWithHandlers = (modules: ModulesContainer): Set<string | undefined> =>
  new Set(
    [...handlingMethods(modules)]
      .map(({ transport }) => instanceOfTransport(transport))
      .flatMap((name) => (name === undefined ? [] : [name ?? undefined])),
  );

/** Says which handlers are for instances that the app does not import: such a handler gets nothing. */
export function warnOfUnknownInstances(modules: ModulesContainer, logger: LoggerService): void {
  const names = instancesIn(modules).map(({ name }) => name);
  for (const { called, transport } of handlingMethods(modules)) {
    const name = instanceOfTransport(transport);
    if (name === undefined || names.includes(name ?? undefined)) continue;
    logger.warn(text.unknownInstance(called, name ?? undefined, names));
  }
}
