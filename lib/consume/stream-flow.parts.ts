import type { LoggerService } from '@nestjs/common';
import type { Redis } from 'ioredis';
import type { Codec } from '../wire/codec.js';
import type { StreamKeys } from '../wire/stream-keys.js';
import type { ResolvedSubscription } from '../options/resolved-options.js';
import type { Admission } from './handler-slots.js';
import type { LoneRuns } from './lone-runs.js';
import type { RequestRuns } from './handlers/request-runs.js';
import type { Invoke } from './stream-message.js';
import type { StreamTally } from './stream-tally.js';

/** What the way of one stream's entries needs to know and to have. */
export interface StreamFlowParts {
  /** The stream's name, as handlers have it. */
  readonly stream: string;
  readonly keys: StreamKeys;
  readonly options: ResolvedSubscription;
  readonly group: string;
  readonly consumer: string;
  readonly token: string;
  readonly leaseMs: number;
  readonly client: Redis;
  readonly codec: Codec;
  readonly invoke: Invoke;
  readonly requests: RequestRuns;
  /** Of a partition: what says whether a handler may start. */
  readonly admission?: Admission;
  /** Of a partition: the key of its owner. */
  readonly ownerKey?: string;
  /** Shared by all streams of the process. */
  readonly loneRuns: LoneRuns;
  readonly tally: StreamTally;
  readonly logger: LoggerService;
  /** Told when there is room again for what this stream brings. */
  readonly onRoom: (streamKey: string) => void;
  /** Ends its attempts to reach Redis. */
  readonly signal: AbortSignal;
}
