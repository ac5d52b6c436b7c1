import type { ResolvedSubscription } from '../options/resolved-options.js';
import type { Invoke } from './stream-message.js';

/** A stream that is read, and what is done with its messages. */
export interface ConsumedStream {
  readonly stream: string;
  readonly options: ResolvedSubscription;
  readonly invoke: Invoke;
  /** Whether a handler names it: then it is made where it is not there. Others are read while they are there. */
  readonly isNamed: boolean;
  /** The wildcards that mean it. */
  readonly wildcards: readonly string[];
}

/** What handlers ask for without naming it. */
export interface ConsumedWildcards {
  readonly wildcards: readonly string[];
  /**
   * What is done with a stream that some of them mean.
   *
   * @throws InvalidOptionsError where its handlers disagree
   */
  readonly consumed: (stream: string) => ConsumedStream;
}
