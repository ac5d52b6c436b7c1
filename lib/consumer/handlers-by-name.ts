import type { MessageHandler } from '@nestjs/microservices';

/** A handler, and which messages of its stream it wants. */
export interface NamedHandler {
  readonly handler: MessageHandler;
  /** Only those of this name; all of the stream where there is none. */
  readonly name: string | undefined;
}

/** @returns what gives the handlers that want a name, in the order of registration */
export function handlersByName(
  handlers: readonly NamedHandler[],
): (name: string) => readonly MessageHandler[] {
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
