import type { Cell } from '../cell.js';

/** Something that holds in every mode. */
export interface Behaviour {
  readonly name: string;
  /** Whether it disturbs the server for others, so that it needs a separate one. */
  readonly harmsServer?: true;
  shown(cell: Cell): Promise<void>;
}
