import type { RedisStreamsClientOptions } from './client-options.js';
import type { RedisStreamsServerOptions } from './server-options.js';
import type { StreamOptions } from './stream-options.js';

/** Options of `RedisStreamsModule`: those of its server and those of its client. */
export interface RedisStreamsModuleOptions
  extends RedisStreamsServerOptions, RedisStreamsClientOptions {
  /**
   * What is set for single streams, by name.
   *
   * @default {}
   */
  streams?: Record<string, StreamOptions>;
}
