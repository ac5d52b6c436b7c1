import type { ConnectionOption, ConnectionOptions, SubscriptionOptions } from '../../lib/index.js';
import type { Promises } from './broker-under-test.js';
import type { ServersUnderTest } from './servers-under-test.js';

/** A way to run this package that has to show all behaviours. */
export interface Configuration {
  readonly name: string;
  /** Options of every consumer, under those that a behaviour asks for. */
  readonly options?: SubscriptionOptions;
  /** Over how many partitions each stream is spread whose name has no hash tag. */
  readonly partitions?: number;
  /** How many servers of one group make up a consumer. */
  readonly instances?: number;
  /** The server program; where none is given, what `startRedis()` finds. */
  readonly binary?: string;
  /** Arguments for the server; where there are some, it is one of its own. */
  readonly args?: readonly string[];
  /** How consumers and publishers connect, unless by the server's URL. */
  readonly connection?: ConnectionOption;
  /** More options of the connection, beside the server's URL. */
  readonly beside?: Omit<ConnectionOptions, 'url'>;
  /** Several servers in place of one, to be called in a `describe`. What `args` asks of a Redis holds for each of them. */
  readonly servers?: (args: readonly string[]) => ServersUnderTest;
  /** Where it differs from what is promised at least once. */
  readonly promises?: Partial<Promises>;
}

/** At least once: nothing that was accepted is lost, whatever becomes of the broker, as long as it keeps its data. */
export const AT_LEAST_ONCE: Promises = { retries: true, lostByRestart: 0, order: 'stream' };

/**
 * A crash of a consumer may lose what ran and one batch. A restart of the broker is not one: its consumers live on, and a
 * step whose answer got lost is sent again and answered the same.
 */
export const AT_MOST_ONCE: Promises = { retries: false, lostByRestart: 0, order: 'stream' };
