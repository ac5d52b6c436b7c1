import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { Codec } from '../wire/codec.js';

/** How much of a stream is kept: by age, by length, or both. */
export type RetentionLimits =
  | {
      /** Entries older than this many ms may be deleted, 1 to 315_360_000_000 (ten years). By Redis's clock. */
      maxAgeMs: number;
      /**
       * For clients: how many entries to keep, 1 to 1_000_000_000_000. Approximate: Redis frees whole nodes. In a stream with `partitions`, each partition
       * keeps as many.
       */
      maxLength?: number;
    }
  | { maxAgeMs?: number; maxLength: number };

/** Whose unread entries hold up a trim. */
export type RetentionReaders =
  | {
      /**
       * Groups that do not hold up a trim: their unread entries may be deleted.
       *
       * @default []
       */
      ignoreGroups?: string[];
      force?: false;
    }
  | {
      /**
       * `true` trims whether or not the entries were read. What is lost that way is counted and logged.
       *
       * @default false
       */
      force: true;
      ignoreGroups?: never;
    };

/** What is kept in a stream. A trim stops at the oldest entry that some group has not finished, unless forced. */
export type RetentionOptions = RetentionLimits & RetentionReaders;

/**
 * What is dropped from a stream whether or not it was read: `force: true` confirms that this is intended. A client applies both
 * limits when it publishes; a server renews the `ttlMs`. `retention` trims without loss.
 */
export type PublishLimits =
  | {
      /**
       * How many entries to keep, 1 to 1_000_000_000_000. Approximate: Redis frees whole nodes of about a hundred entries. In a stream with
       * `partitions`, each partition keeps as many.
       *
       * @default none: publishing drops nothing
       */
      maxLength?: number;
      /**
       * How long after the last renewal the whole stream expires, in ms, 1 to 315_360_000_000 (ten years): its entries, read or not,
       * and its groups with what is pending in them. A client that sets it renews it with each entry that it publishes. A server that
       * sets it renews it when it creates the group, when it starts, and then ten times in `ttlMs` (at most ten times a second,
       * at least once an hour), whether or not anything arrives: the stream lasts until nobody has published to it or read it
       * for so long. The module sets it for its client and its server. A stream that only clients set it for expires
       * although it is read; a group that still has a consumer comes back with the next message.
       * Ledgers, dead letters and positions stay; a message ID stays published for the window of `publishDedup`. In a stream
       * with `partitions`, each partition expires on its own.
       *
       * @default none: a stream lasts
       */
      ttlMs?: number;
      /**
       * Must be `true` if either is set.
       *
       * @default false
       */
      force: true;
    }
  | { maxLength?: never; ttlMs?: never; force?: false };

/** Options of a stream, for those who publish to it and those who read it. */
export type PublishedStreamOptions = PublishLimits & {
  /**
   * How this stream's messages are written as entries and read from them. Set it if other programs use the stream too.
   *
   * @default the option `codec` beside `streams`
   */
  codec?: Codec;
  /**
   * The schema that this stream's payloads have to fit: a Standard Schema, as zod, valibot and arktype make them. It may be
   * asynchronous; messages of the stream stay in their order.
   *
   * A client validates before it publishes: if a payload does not fit, `emit()` fails with a `MessageValidationError`, and
   * nothing is sent. A payload that fits is sent as it was given, not as the schema would change it. A server validates what its
   * codec and `deserializer` have read: handlers get the schema's output, and a payload that does not fit becomes a dead letter
   * with the issues as its reason, without an attempt. So the schema must accept a payload as it arrives: a `Date` is text then.
   * Set it if payloads come from programs that you do not build, or if a mistake would be found too late.
   *
   * @default none: any payload is sent and handled
   */
  schema?: StandardSchemaV1;
  /**
   * Over how many keys the stream is spread: `{orders:0}`, `{orders:1}` and so on, 1 to 1 024. A message's partition is chosen
   * by its `setKey(...)`, or by its message ID if it has no key. In each group a partition has one active consumer at
   * a time, and messages of one key are handled one after the other, in their order. Set it if order by key matters, or
   * if one stream is more than one consumer, or one Redis, can handle. All publishers and readers of the stream must set
   * the same number; changing it later moves keys to other partitions (see `docs/scaling.md`). Handlers must name such a
   * stream: a server that matches it by wildcards only is refused, since a wildcard does not read partitions.
   *
   * @default none: one key, `orders`; members of a group share its messages in any order
   */
  partitions?: number;
};

/** Options of a stream, for a server. */
export type StreamOptions = PublishedStreamOptions & {
  /** @default none: the stream grows until something else trims it */
  retention?: RetentionOptions;
};
