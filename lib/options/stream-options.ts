import type { Codec } from '../codec/codec.js';

/** How much of a stream is kept: by age, by length, or both. */
export type RetentionLimits =
  | {
      /** Entries older than this many ms may go, 1 or more. By Redis's clock. */
      maxAgeMs: number;
      /** How many entries to keep, 1 or more. Approximate: Redis frees whole nodes. */
      maxLength?: number;
    }
  | { maxAgeMs?: number; maxLength: number };

/** Whose unread entries hold a trim up. */
export type RetentionReaders =
  | {
      /**
       * Groups that do not hold a trim up: their unread entries may go.
       *
       * @default []
       */
      ignoreGroups?: string[];
      force?: false;
    }
  | {
      /**
       * `true` trims whether or not the entries were read. What is lost so is counted and logged.
       *
       * @default false
       */
      force: true;
      ignoreGroups?: never;
    };

/** What stays in a stream. A trim stops at the oldest entry that some group has not finished, unless forced. */
export type RetentionOptions = RetentionLimits & RetentionReaders;

/** What is set for a stream, for whoever publishes to it or reads it. */
export interface PublishedStreamOptions {
  /**
   * How this stream's messages are written as entries and read from them. Set it where the stream is another program's too.
   *
   * @default the option `codec` beside `streams`
   */
  codec?: Codec;
}

/** What is set for a stream, whoever reads it. */
export interface StreamOptions extends PublishedStreamOptions {
  /** @default none: the stream grows until somebody trims it */
  retention?: RetentionOptions;
}
