import type { ConnectionOption, ConnectionOptions, SubscriptionOptions } from '../../lib/index.js';
import type { Promises } from './broker-under-test.js';
import type { ServersUnderTest } from './servers-under-test.js';

/** A configuration of this package that has to show all behaviours. */
export interface Configuration {
  readonly name: string;
  /** Options of every consumer; those of a behaviour override them. */
  readonly options?: SubscriptionOptions;
  /** The number of partitions of each stream whose name has no hash tag. */
  readonly partitions?: number;
  /** How many servers of one group make up a consumer. */
  readonly instances?: number;
  /** The server program; by default what `startRedis()` finds. */
  readonly binary?: string;
  /** Arguments for the server; if there are any, it is a separate one. */
  readonly args?: readonly string[];
  /** How consumers and publishers connect, unless by the server's URL. */
  readonly connection?: ConnectionOption;
  /** Further options of the connection, in addition to the server's URL. */
  readonly connectionOptions?: Omit<ConnectionOptions, 'url'>;
  /** Several servers instead of one; called in a `describe`. `args` applies to each of them. */
  readonly servers?: (args: readonly string[]) => ServersUnderTest;
  /** How the promises differ from those of at-least-once. */
  readonly promises?: Partial<Promises>;
}

/** At-least-once: nothing that was accepted is lost, whatever happens to the broker, as long as it keeps its data. */
export const AT_LEAST_ONCE: Promises = { retries: true, lostByRestart: 0, order: 'stream' };

/**
 * A crash of a consumer may lose what was running and one batch. A restart of the broker is no crash: its
 * consumers live on, and a step whose answer was lost is sent again and gets the same answer.
 */
export const AT_MOST_ONCE: Promises = { retries: false, lostByRestart: 0, order: 'stream' };
