import type { StreamFlowParts } from '../stream-flow.parts.js';

/** What the way of a partition's entries needs to know and to have. */
export interface PartitionFlowParts extends StreamFlowParts {
  readonly partition: number;
  /** Told that something which was about to begin has to wait: the partition is not ours, or others have some of it. */
  readonly onPostponed: () => void;
  /** Told how soon something is due that waits here. */
  readonly onHeldBack: (delayMs: number) => void;
  /** Told when there is room for more of what is pending. */
  readonly onRoomToClaim: () => void;
}
