/** What a message asks of its handler. */
export interface Work {
  /** How long it takes. */
  readonly workMs?: number;
  /** How many attempts fail. */
  readonly fails?: number;
  /** Whether it kills its process. */
  readonly poison?: boolean;
  /** Its ordering key, and its number within that key, from 0. */
  readonly key?: string;
  readonly n?: number;
  /** When it was published, by the clock of the journal. */
  readonly publishedAt?: number;
}
