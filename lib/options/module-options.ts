import type { RedisStreamsClientOptions } from './client-options.js';
import type { RedisStreamsServerOptions } from './server-options.js';

/** Options of `RedisStreamsModule`: those of its server and those of its client. */
export interface RedisStreamsModuleOptions
  extends RedisStreamsServerOptions, RedisStreamsClientOptions {}
