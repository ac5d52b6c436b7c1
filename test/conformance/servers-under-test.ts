import type { Redis } from 'ioredis';

import type { ConnectionOption } from '../../lib/index.js';

/** The servers that a configuration runs on. They run in tests and hooks. */
export interface ServersUnderTest {
  /** How consumers and publishers connect. */
  readonly connection: ConnectionOption;
  /** For inspecting Redis, also after `restart()`. */
  readonly client: Redis;
  /** Kills the server that holds the messages, and makes sure that they are available again. */
  restart(): Promise<void>;
}
