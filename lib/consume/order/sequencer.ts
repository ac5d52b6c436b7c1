import type { Load } from '../load.js';
import type { Message } from '../message.js';

/** Decides in which order messages are reserved: as they arrive, or one after the other within each key. */
export interface Sequencer {
  /** Whether new entries may be read. The owner of a partition first claims what was pending. */
  readonly takesNew: boolean;
  /** How many more messages may be read without holding up others. */
  readonly room: number;
  /** How many messages wait for retries, or for messages of their keys that do. */
  readonly held: number;
  /** The bytes of these. */
  readonly heldBytes: number;
  /** Whether messages may be reserved now. */
  readonly hasNext: boolean;

  /** @param notDueYet row IDs of those whose retry is not due yet: they hold back their keys */
  add(messages: readonly Message[], notDueYet?: ReadonlySet<string>): void;
  /** Whether a message that is in hand waits to be read again, because its retry is due. */
  wantsAgain(rowId: string): boolean;
  /** The messages to reserve next, in one batch. */
  takeNext(): readonly Message[];
  /** They may not run yet: something that is pending for another member comes first. */
  putBack(messages: readonly Message[]): void;
  /**
   * A message is settled, or is not ours any more.
   *
   * @param againInMs if it has to run again: in how many ms at the earliest
   * @returns whether it stays in hand until then
   */
  done(rowId: string, againInMs?: number): boolean;
  /** Lets nothing out any more. @returns the messages that were read and not reserved */
  stop(): readonly Message[];
  /** There is room for more. */
  noteRoom(): void;
  /** Adds what waits here to the load. */
  adjust(load: Load): Load;
}

/** Messages are reserved as they come, and do not wait for each other. */
export class ArrivalOrder implements Sequencer {
  readonly takesNew = true;
  readonly room = Infinity;
  readonly held = 0;
  readonly heldBytes = 0;
  /** Each batch as it was read: one is reserved while the next is on its way. */
  private batches: (readonly Message[])[] = [];
  private waiting = 0;

  get hasNext(): boolean {
    return this.batches.length > 0;
  }

  add(messages: readonly Message[]): void {
    this.batches.push(messages);
    this.waiting += messages.length;
  }

  wantsAgain(): boolean {
    return false;
  }

  takeNext(): readonly Message[] {
    const batch = this.batches.shift() ?? [];
    this.waiting -= batch.length;
    return batch;
  }

  /** Nothing comes before a message that is next. */
  putBack(): void {}

  done(): boolean {
    return false;
  }

  stop(): readonly Message[] {
    const messages = this.batches.flat();
    this.batches = [];
    this.waiting = 0;
    return messages;
  }

  noteRoom(): void {}

  adjust(load: Load): Load {
    return this.waiting === 0 ? load : { ...load, readAhead: load.readAhead + this.waiting };
  }
}
