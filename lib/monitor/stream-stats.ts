import type { StreamTally } from '../consumer/stream-tally.js';
import type { StreamStats } from './streams-stats.js';

export function streamStatsOf(tally: StreamTally): StreamStats {
  return {
    stream: tally.where.stream,
    inFlight: tally.inFlight,
    counts: { ...tally.counts },
    handlerDuration: tally.handlerMs.snapshot(),
    publishToHandle: tally.publishToHandleMs.snapshot(),
  };
}
