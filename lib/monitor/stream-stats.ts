import type { StreamTally } from '../consume/tallies.js';
import type { StreamPartitions } from '../options/resolved-options.js';
import type { OwnedPartitionStats, PartitionsStats, StreamStats } from './streams-stats.js';

export function streamStatsOf(tally: StreamTally): StreamStats {
  return {
    stream: tally.where.stream,
    inFlight: tally.inFlight,
    counts: { ...tally.counts },
    handlerDuration: tally.handlerMs.snapshot(),
    publishToHandle: tally.publishToHandleMs.snapshot(),
  };
}

export const partitionStatsOf = (
  partitions: StreamPartitions,
  streams: readonly string[],
  owned: readonly ({ readonly stream: string } & OwnedPartitionStats)[],
): PartitionsStats[] =>
  streams.flatMap((stream) => {
    const count = partitions.get(stream);
    if (count === undefined) return [];
    const its = owned.filter((one) => one.stream === stream);
    return [{ stream, count, owned: its.map(({ partition, epoch }) => ({ partition, epoch })) }];
  });
