import type { Redis } from 'ioredis';

import type { ConnectionOption } from '../../lib/index.js';

/** What a configuration runs on. It is there in tests and hooks. */
export interface ServersUnderTest {
  /** How consumers and publishers connect. */
  readonly connection: ConnectionOption;
  /** To look into Redis with, also after `restart()`. */
  readonly client: Redis;
  /** Ends what holds the messages the hard way, and sees to it that they are to be had again. */
  restart(): Promise<void>;
}
