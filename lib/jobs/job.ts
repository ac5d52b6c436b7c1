import type { Redis } from 'ioredis';
import type { ResolvedServerOptions, ResolvedSubscription } from '../options/resolved-options.js';

/** What a job did. */
export interface JobResult {
  /** How many things it removed; 0 where another instance was at it. */
  readonly removed: number;
}

/** What the jobs work on. */
export interface JobParts {
  readonly options: ResolvedServerOptions;
  /** What is subscribed to, by the time the job runs. */
  readonly subscriptions: () => readonly {
    readonly stream: string;
    readonly options: ResolvedSubscription;
  }[];
  /** A connection for commands, once it is ready. */
  readonly connection: () => Promise<Redis>;
}
