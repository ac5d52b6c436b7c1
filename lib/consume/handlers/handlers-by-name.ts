import type { MessageHandler } from '@nestjs/microservices';

/** A handler, and which messages of its stream it wants. */
export interface NamedHandler {
  readonly handler: MessageHandler;
  /** Only those of this name; all of the stream where there is none. */
  readonly name: string | undefined;
  /** Whether it is for requests; else it is for events. */
  readonly answers: boolean;
}

/**
 * @returns what gives the one handler that answers requests of a name: one for the name before one for all of the stream,
 *   and of several that are alike, as with Nest's own transports, the last one registered
 */
export function answererByName(
  handlers: readonly NamedHandler[],
): (name: string) => MessageHandler | undefined {
  const byName = new Map(
    handlers.filter(({ answers }) => answers).map(({ handler, name }) => [name, handler]),
  );
  return (name) => byName.get(name) ?? byName.get(undefined);
}

/** @returns what gives the handlers that want events of a name, in the order of registration */
export function handlersByName(
  all: readonly NamedHandler[],
): (name: string) => readonly MessageHandler[] {
  const handlers = all.filter(({ answers }) => !answers);
  const wanting = (name: string | undefined): MessageHandler[] =>
    handlers
      .filter((its) => its.name === undefined || its.name === name)
      .map(({ handler }) => handler);
  // Names that nobody asked for come from outside, and can be any number: they all have the same handlers.
  const ofAnyName = wanting(undefined);
  const byName = new Map(
    handlers.flatMap(({ name }) => (name === undefined ? [] : [[name, wanting(name)]])),
  );
  return (name) => byName.get(name) ?? ofAnyName;
}
