import type { ModulesContainer } from '@nestjs/core';
import { sharedSymbol } from '../errors/copies.js';
import { propertyOf } from '../errors/thrown.js';
import { getStreamsToken, type StreamsProvider } from './streams-token.js';

/** What marks a module of an app as an instance of `RedisStreamsModule`; its value is the name. */
export const INSTANCE = sharedSymbol('instance');

/** An instance of `RedisStreamsModule` in an app. */
export interface StreamsInstance {
  /** `undefined` if it has none. */
  readonly name: string | undefined;
  /** One of its providers; `undefined` before Nest has created it. */
  get<Provider extends StreamsProvider>(
    type: abstract new (...args: never[]) => Provider,
  ): Provider | undefined;
}

/** The instances of an app, also those of another copy of this package; in the order in which Nest found them. */
export const instancesIn = (modules: ModulesContainer): StreamsInstance[] =>
  [...modules.values()].flatMap(({ providers }) => {
    const marked = providers.get(INSTANCE)?.instance;
    const given = propertyOf(marked, 'name');
    if (marked === undefined) return [];
    const name = typeof given === 'string' ? given : undefined;
    return [
      {
        name,
        get: (type) => {
          const provider: unknown = providers.get(getStreamsToken(type, name))?.instance;
          return provider instanceof type ? provider : undefined;
        },
      },
    ];
  });
