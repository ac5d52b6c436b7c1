import { AsyncLocalStorage } from 'node:async_hooks';
import type { RedisStreamsModuleOptions } from '../options/server-options.js';

type Override = (options: RedisStreamsModuleOptions) => RedisStreamsModuleOptions;

const overrides = new AsyncLocalStorage<Override>();

/**
 * Has the module of an app that is made inside `make` take other options than its own: a test gives it another Redis and a
 * prefix, whichever way the app comes to its options. Two apps that are made at the same time do not disturb each other.
 */
export const withOverride = <Made>(override: Override, make: () => Promise<Made>): Promise<Made> =>
  overrides.run(override, make);

/** The options as they are meant where this is called: most often they are as they are. */
export const overridden: Override = (options) => overrides.getStore()?.(options) ?? options;
