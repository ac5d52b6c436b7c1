import type { Cell } from '../cell.js';

/** Something that holds in every mode. */
export interface Behaviour {
  readonly name: string;
  /** Whether it harms the server for others, so that it needs one of its own. */
  readonly harmsServer?: true;
  shown(cell: Cell): Promise<void>;
}
