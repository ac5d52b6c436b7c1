import type { Faults } from '../../redis/connect/fault-log.js';
import type { ReadFlows } from '../flow-set.js';
import type { ReadConnections } from './read-connections.js';
import type { Resumption } from './resumption.js';

/** What reading streams needs to know and to have. */
export interface StreamReaderParts extends Faults {
  readonly connections: ReadConnections;
  readonly group: string;
  readonly consumer: string;
  readonly blockMs: number;
  readonly flows: ReadFlows;
  readonly resumption: Resumption;
  /** Makes what is missing of the groups. */
  readonly ensureGroups: () => Promise<void>;
  /** Told where none of the streams is there any more. */
  readonly onEmpty: (() => void) | undefined;
}

/** What a read brought: `some` where more may wait. */
export type Brought = 'nothing' | 'all there was' | 'some';
