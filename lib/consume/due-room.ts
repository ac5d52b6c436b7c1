import type { Demand } from './waiting.js';

/** The room of a stream for retries and redrives that are due. */
export class DueRoom {
  /** Whether more was due than there was room for when Redis was last asked. */
  isBehind = false;

  constructor(private readonly demand: Demand) {}

  /** How many sources share the room: while retries or redrives wait for room, they and new entries get half of it each. */
  get sources(): number {
    return this.isBehind ? 2 : 1;
  }

  /** There is room again. */
  raise(streamKey: string): void {
    this.demand.raise(streamKey);
  }
}
