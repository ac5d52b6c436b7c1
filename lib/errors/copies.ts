// A process may have several copies of this package: that of a library which brought its own, or the CommonJS build beside the
// ESM one. Each has its own classes, so what goes from one copy to another is recognized by registered symbols. The other copy
// may be of another version: whoever gets something of it reads that like anything else from outside.

type Class = abstract new (...args: never[]) => unknown;

const PREFIX = 'nestjs-redis-streams:';

/** A symbol that is the same in every copy. */
export const sharedSymbol = (name: string): symbol => Symbol.for(PREFIX + name);

/** The name of such a symbol; `undefined` if a value is none. */
export function sharedSymbolName(value: unknown): string | undefined {
  const key = typeof value === 'symbol' ? Symbol.keyFor(value) : undefined;
  return key?.startsWith(PREFIX) === true ? key.slice(PREFIX.length) : undefined;
}

const NAME = sharedSymbol('name of a class');
const isInstanceOf = Function.prototype[Symbol.hasInstance];

/**
 * Makes classes the same in every copy, for `instanceof` and for {@link sharedName}. A class that extends one of them is not
 * affected.
 *
 * @param classes by the names that they have in every copy, whatever a bundler calls them
 */
export function shareClasses(classes: Readonly<Record<string, Class>>): void {
  for (const [name, type] of Object.entries(classes)) {
    const mark = sharedSymbol(name);
    Object.defineProperty(type.prototype, mark, { value: true });
    Object.defineProperty(type, NAME, { value: name });
    Object.defineProperty(type, Symbol.hasInstance, {
      value(this: unknown, value: unknown): boolean {
        if (isInstanceOf.call(this as Class, value)) return true;
        return this === type && typeof value === 'object' && value !== null && mark in value;
      },
    });
  }
}

/** The name that a class has in every copy; `undefined` if it is none of this package. */
export function sharedName(type: unknown): string | undefined {
  if (typeof type !== 'function' || !Object.hasOwn(type, NAME)) return undefined;
  const name: unknown = Reflect.get(type, NAME);
  return typeof name === 'string' ? name : undefined;
}
