import type { LoggerService } from '@nestjs/common';
import { streamKeys } from '../wire/stream-keys.js';
import type { ResolvedServerOptions } from '../options/resolved-options.js';
import type { ConsumedStream } from './consumed-stream.js';
import type { ConsumerTallies } from './consumer-tallies.js';
import type { LoneRuns } from './lone-runs.js';
import type { Replier } from '../requests/replier.js';
import { RequestRuns } from './handlers/request-runs.js';
import type { ServerConnections } from './sources/server-connections.js';
import type { StreamFlowParts } from './stream-flow.parts.js';

/** What all flows of a consumer have in common. */
interface CommonParts {
  readonly options: ResolvedServerOptions;
  readonly connections: ServerConnections;
  readonly replier: Replier;
  readonly tallies: ConsumerTallies;
  readonly loneRuns: LoneRuns;
  readonly logger: LoggerService;
  readonly onRoom: (streamKey: string) => void;
  readonly signal: AbortSignal;
}

/**
 * What the flow of a stream, or of a partition of one, is made of.
 *
 * @param name what it is called in Redis
 * @param token by what its leases are known
 */
export type PartsOf = (consumed: ConsumedStream, name: string, token: string) => StreamFlowParts;

export const flowParts =
  (common: CommonParts): PartsOf =>
  ({ stream, options, invoke }, name, token) => {
    const { connections, replier, tallies, loneRuns, logger, onRoom, signal } = common;
    const { group, consumer, leaseMs, keyPrefix, codecs } = common.options;
    const client = connections.commands;
    return {
      stream,
      requests: new RequestRuns({
        client,
        replier,
        codec: codecs.plain(stream),
        stream,
        streamKey: keyPrefix + name,
        group,
        token,
      }),
      keys: streamKeys(keyPrefix, name, group),
      options,
      group,
      consumer,
      token,
      leaseMs,
      client,
      codec: codecs.of(stream),
      invoke,
      tally: tallies.of(stream),
      loneRuns,
      logger,
      onRoom,
      signal,
    };
  };
