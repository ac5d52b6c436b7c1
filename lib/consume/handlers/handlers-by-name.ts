import type { MessageHandler } from '@nestjs/microservices';

/** A handler, and which messages of its stream it wants. */
export interface NamedHandler {
  readonly handler: MessageHandler;
  /** It wants only messages of this name; undefined if it wants all of the stream. */
  readonly name: string | undefined;
  /** Whether it is for requests; otherwise it is for events. */
  readonly answers: boolean;
}

/**
 * @returns finds the handler that answers requests of a name: one for the name before one for the whole stream. Of several that
 *   are alike, it is the last one registered, as with Nest's own transports
 */
export function answererByName(
  handlers: readonly NamedHandler[],
): (name: string) => MessageHandler | undefined {
  const byName = new Map(
    handlers.filter(({ answers }) => answers).map(({ handler, name }) => [name, handler]),
  );
  return (name) => byName.get(name) ?? byName.get(undefined);
}

/** @returns finds the handlers that want events of a name, in the order of registration */
export function handlersByName(
  all: readonly NamedHandler[],
): (name: string) => readonly MessageHandler[] {
  const handlers = all.filter(({ answers }) => !answers);
  const wanting = (name: string | undefined): MessageHandler[] =>
    handlers
      .filter((its) => its.name === undefined || its.name === name)
      .map(({ handler }) => handler);
  // There can be any number of names that no handler asks for: they come from outside, and all have the same handlers.
  const ofAnyName = wanting(undefined);
  const byName = new Map(
    handlers.flatMap(({ name }) => (name === undefined ? [] : [[name, wanting(name)]])),
  );
  return (name) => byName.get(name) ?? ofAnyName;
}
