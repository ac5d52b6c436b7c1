import type { ResolvedSubscription } from '../options/resolved-options.js';
import type { StreamKeys } from '../wire/stream-keys.js';
import { GroupPosition } from './group-position.js';
import type { RunSignal, Verdict } from './handlers/run.js';
import type { Message } from './message.js';
import type { Gate } from './quarantine.js';

/** Runs all handlers that want a message. Never rejects. */
export type Invoke = (message: Message, signal: RunSignal) => Promise<Verdict>;

/** A stream that is read, and what is done with its messages. */
export interface ConsumedStream {
  readonly stream: string;
  readonly options: ResolvedSubscription;
  readonly invoke: Invoke;
  /** What has a say in whether a message may start, in addition to the process and its partition. */
  readonly gate?: Gate;
  /** Whether a handler names it: then it is created if it does not exist. Others are read while they exist. */
  readonly isNamed: boolean;
  /** The wildcards that match it. */
  readonly wildcards: readonly string[];
}

/** The wildcards that handlers subscribe to. */
export interface ConsumedWildcards {
  readonly wildcards: readonly string[];
  /**
   * What is done with a stream that some of them match.
   *
   * @throws InvalidOptionsError if its handlers disagree
   */
  readonly consumed: (stream: string) => ConsumedStream;
}

/** A stream, or a partition of one, in Redis. */
export class StreamPlace {
  readonly position = new GroupPosition();
  /** Whether Redis refuses it: it is neither read nor started until that is over. */
  isSetAside = false;

  constructor(
    /** What it is called in Redis, without `keyPrefix`. */
    readonly name: string,
    readonly keys: StreamKeys,
    readonly consumed: ConsumedStream,
    /** The number of the partition, if it is one. */
    readonly partition?: number,
    /** Which key says who owns the partition. */
    readonly ownerKey?: string,
  ) {}
}
