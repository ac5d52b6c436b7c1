import type { Group } from './group.js';
import type { Member } from './member.js';

/** What is drawn for each step: who acts, and on which of the possible messages. */
export interface Draw {
  readonly by: number;
  readonly pick: number;
  readonly many: boolean;
  readonly twice: boolean;
}

export type Step = (group: Group, member: Member, draw: Draw) => Promise<void>;
