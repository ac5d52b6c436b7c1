import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { Codec } from '../wire/codec.js';

/** How much of a stream is kept: by age, by length, or both. */
export type RetentionLimits =
  | {
      /** Entries older than this many ms may go, 1 or more. By Redis's clock. */
      maxAgeMs: number;
      /**
       * How many entries to keep, 1 or more. Approximate: Redis frees whole nodes. Of a stream with `partitions` each keeps so
       * many.
       */
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

/**
 * What a client drops of a stream when it publishes to it, whether or not it was read: `force: true` says that this is
 * meant. `retention` trims without loss.
 */
export type PublishLimits =
  | {
      /**
       * How many entries to keep, 1 or more. Approximate: Redis frees whole nodes of about a hundred entries. Of a stream with
       * `partitions` each keeps so many.
       *
       * @default none: publishing drops nothing
       */
      maxLength?: number;
      /**
       * How long after the last entry was written the whole stream expires, in ms, 1 or more: its entries, read or not,
       * and its groups with what is pending in them. A group that still has a consumer comes back with the next message.
       * Ledgers, dead letters and positions stay; a message ID stays published for the window of `publishDedup`. Of a stream
       * with `partitions` each expires on its own.
       *
       * @default none: a stream lasts
       */
      ttlMs?: number;
      /**
       * Has to be `true` for either.
       *
       * @default false
       */
      force: true;
    }
  | { maxLength?: never; ttlMs?: never; force?: false };

/** What is set for a stream, for whoever publishes to it or reads it. */
export type PublishedStreamOptions = PublishLimits & {
  /**
   * How this stream's messages are written as entries and read from them. Set it where the stream is another program's too.
   *
   * @default the option `codec` beside `streams`
   */
  codec?: Codec;
  /**
   * What this stream's payloads have to fit: a Standard Schema, as zod, valibot and arktype make them. It may answer later, with
   * a promise; messages of the stream stay in their order.
   *
   * A client validates what is to be published: what does not fit is a `MessageValidationError`, and nothing is sent. What fits
   * is sent as it was given, not as the schema would change it. A server validates what its codec and `deserializer` have
   * read: handlers get what the schema makes of it, and what does not fit becomes a dead letter with the issues as its
   * reason, without an attempt. So the schema has to take a payload as it arrives: a `Date` is text then.
   * Set it where payloads come from programs that you do not build, or where a mistake would be found too late.
   *
   * @default none: any payload is sent and handled
   */
  schema?: StandardSchemaV1;
  /**
   * Over how many keys the stream is spread: `{orders:0}`, `{orders:1}` and so on, 1 to 1 024. Which one a message goes to
   * follows from its `setKey(...)`, without one from its message ID. In each group a partition has one active consumer at
   * a time, and messages of one key are handled one after the other, in their order. Set it where order by key matters, or
   * where one stream is more than one consumer, or one Redis, can take. Everyone who publishes to the stream or reads it sets
   * the same number; changing it later moves keys to other partitions (see `docs/scaling.md`). Handlers name such a stream: a
   * server whose wildcards alone mean it is refused, since a wildcard does not read partitions.
   *
   * @default none: one key, `orders`; members of a group share its messages in any order
   */
  partitions?: number;
};

/** What is set for a stream, whoever reads it. */
export type StreamOptions = PublishedStreamOptions & {
  /** @default none: the stream grows until somebody trims it */
  retention?: RetentionOptions;
};
