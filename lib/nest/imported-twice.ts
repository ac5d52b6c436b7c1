import type { ModulesContainer } from '@nestjs/core';
import { sharedName } from '../errors/copies.js';
import { InvalidOptionsError } from '../errors/redis-streams.error.js';
import { itemsOf, propertyOf } from '../errors/thrown.js';
import { INSTANCE, instancesIn } from './instances.js';
import * as text from './nest.messages.js';

const MOST_IMPORTS = 1_000;

/**
 * Checks that an app has one instance of each name. Otherwise it would read as one group or the other.
 *
 * @throws InvalidOptionsError that says which modules import them
 */
export function requireOneOfEachName(modules: ModulesContainer): void {
  const names = new Set<string | undefined>();
  for (const { name } of instancesIn(modules)) {
    if (names.has(name)) {
      throw new InvalidOptionsError(
        'name',
        text.givenTwice(name, importersOf(modules, name)),
        name === undefined ? text.ONE_WITHOUT_NAME : text.ONE_OF_EACH_NAME,
      );
    }
    names.add(name);
  }
}

/**
 * The modules that import instances of a name, as far as their decorators say so. Nest adds a global module to the imports of all
 * others, so what it knows is of no use here.
 */
function importersOf(modules: ModulesContainer, name: string | undefined): string[] {
  const importers = new Set<string>();
  for (const { metatype } of modules.values()) {
    for (const imported of itemsOf(Reflect.getMetadata('imports', metatype), MOST_IMPORTS).items) {
      if (sharedName(propertyOf(imported, 'module')) !== 'RedisStreamsModule') continue;
      const { items } = itemsOf(propertyOf(imported, 'providers'), MOST_IMPORTS);
      const mark = items.find((provider) => propertyOf(provider, 'provide') === INSTANCE);
      if (propertyOf(propertyOf(mark, 'useValue'), 'name') === name) importers.add(metatype.name);
    }
  }
  return [...importers];
}
