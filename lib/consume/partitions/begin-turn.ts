import type { StreamFlowParts } from '../stream-flow.parts.js';
import type { Ownership } from './ownership.js';
import { PartitionFlow } from './partition-flow.js';
import { PartitionTurn, type PartitionTurnParts } from './partition-turn.js';
import type { SharedSlots } from './shared-slots.js';

export interface NewTurn extends Omit<PartitionTurnParts, 'flow' | 'onLost'> {
  readonly flowParts: StreamFlowParts;
  readonly slots: SharedSlots;
  readonly onLost: (turn: PartitionTurn) => void;
}

/** One turn of owning a partition, with a flow of its own: nothing of an earlier turn is in it. */
export function beginTurn({ flowParts, slots, onLost, ...parts }: NewTurn): PartitionTurn {
  const { partition, ownerKey, ownership } = parts;
  const flow = new PartitionFlow({
    ...flowParts,
    partition,
    ownerKey,
    admission: admissionOf(ownership, slots),
    onPostponed: () => turn.claimAnew(),
    onHeldBack: (delayMs) => turn.tendIn(delayMs + 1),
    onRoomToClaim: () => turn.claimOn(),
  });
  const turn: PartitionTurn = new PartitionTurn({ ...parts, flow, onLost: () => onLost(turn) });
  return turn;
}

const admissionOf = (
  ownership: Ownership,
  slots: SharedSlots,
): NonNullable<StreamFlowParts['admission']> => ({
  mayStart: (again) => ownership.isLive(again) && slots.isFree(again),
  started: () => slots.take(),
  ended: () => slots.giveBack(),
});
