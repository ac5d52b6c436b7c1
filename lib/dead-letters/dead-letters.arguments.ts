import type { DeadLetter } from './dead-letter.js';

/** Whose dead letters are meant. */
export interface DeadLettersOf {
  /** The stream's name, without `keyPrefix`. */
  readonly stream: string;
  /** @default the module's group */
  readonly group?: string;
}

/** What `DeadLetters.list()` takes. */
export interface ListDeadLetters extends DeadLettersOf {
  /**
   * How many, 1 to 1 000.
   *
   * @default 100
   */
  readonly limit?: number;
  /** The ID of a dead letter, as it has it: those older than it. That of the last one of a page gives the next page. */
  readonly before?: string;
}

/** What `DeadLetters.get()` takes. */
export interface GetDeadLetter extends DeadLettersOf {
  readonly id: string;
}

/** Which dead letters: these, such as the filter wants, or all that there are at the call. */
export type SomeDeadLetters =
  | { readonly ids?: readonly string[]; readonly filter?: never }
  | { readonly ids?: never; readonly filter?: DeadLetterFilter };

/** Says whether it wants a dead letter. What it throws ends the call; what was done before stays done. */
export type DeadLetterFilter = (deadLetter: DeadLetter) => boolean | Promise<boolean>;

/** How far a redrive is. */
export interface RedriveProgress {
  /** How many are redriven until now. */
  readonly redriven: number;
  /** How many were looked at until now. */
  readonly scanned: number;
  /** How many there were to look at when it began. */
  readonly total: number;
}

/** What `DeadLetters.redrive()` takes. */
export type RedriveDeadLetters = DeadLettersOf &
  SomeDeadLetters & {
    /**
     * How many to redrive, 1 or more, the oldest first.
     *
     * @default all of them
     */
    readonly limit?: number;
    /** Told after each page. */
    readonly onProgress?: (progress: RedriveProgress) => void;
  };

/** What `DeadLetters.purge()` takes. */
export type PurgeDeadLetters = DeadLettersOf & SomeDeadLetters;
