import type { Demand } from './waiting.js';

/** The room of a stream for retries and redrives that are due. */
export class DueRoom {
  /** Whether more is due than there was room for. Whoever asks Redis for it sets that. */
  isBehind = false;

  constructor(private readonly demand: Demand) {}

  /** How many sources bring entries now: neither what is due nor new entries wait until the other source has nothing left. */
  get sources(): number {
    return this.isBehind ? 2 : 1;
  }

  /** There is room again. */
  raise(streamKey: string): void {
    this.demand.raise(streamKey);
  }
}
