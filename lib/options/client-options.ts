import type { ProducerSerializer } from '@nestjs/microservices';
import type { Codec } from '../wire/codec.js';
import type { ConnectionOption } from './connection-option.js';
import type { PublishedStreamOptions } from './stream-options.js';

/** The de-duplication window of a publisher. */
export interface PublishDedupOptions {
  /**
   * How long a published message ID is remembered, in ms, 1 to 315_360_000_000 (ten years), by Redis's clock. Longer costs memory in Redis: about
   * 140 bytes for each message in the window. All publishers of a stream should set the same: the shortest applies.
   *
   * @default 120_000 (2 minutes)
   */
  windowMs?: number;
}

/** Options of `ClientRedisStreams`. */
export interface RedisStreamsClientOptions {
  /** @default 'redis://127.0.0.1:6379' */
  connection?: ConnectionOption;
  /**
   * Put before every stream's name in Redis.
   *
   * @default ''
   */
  keyPrefix?: string;
  /**
   * How long `emit()` may wait for a connection and an answer before it errors, in ms, 1 to 2_147_483_647; `emitBatch()` may wait as
   * long for each of its round trips.
   *
   * @default 10_000
   */
  publishTimeoutMs?: number;
  /**
   * How long `send()` waits for a reply, and after each value of an Observable for the next, in ms, 1 to 2_147_483_647. Then it errors
   * with `RequestTimeoutError`; a handler that has not started by then never starts.
   *
   * @default 30_000
   */
  requestTimeoutMs?: number;
  /**
   * The beginning of the names of this client's inboxes, for `send()`: letters, digits, `_` and `-`. The key of an inbox is then
   * `stream:replies:{<keyPrefix><inbox>.<random>}`. Give each Redis user its own, and the right to no other:
   * `~stream:replies:{web.*`. Otherwise a user who sends requests can read and write the replies to all others.
   *
   * @default none: `stream:replies:{<keyPrefix><random>}`
   */
  inbox?: string;
  /**
   * The window in which a message ID is published once. Messages that were sent but not answered when the connection dropped
   * are then resent automatically, until `publishTimeoutMs`. `false`: faster, but after a dropped connection `emit()` errors
   * without knowing whether the message arrived, and two calls with one message ID write two entries.
   * Each partition of a stream with `partitions` remembers its own IDs: a duplicate is found if it has the same key, or none.
   *
   * @default { windowMs: 120_000 }
   */
  publishDedup?: PublishDedupOptions | false;
  /**
   * The largest message, in bytes, 1 to 536_870_912 (512 MiB): names and values of its entry's fields together, as the codec writes them. A
   * larger one is a `MessageEncodingError`, and nothing is sent. Large entries hold up Redis and consumers for everybody else:
   * store large data elsewhere and send a reference to it.
   *
   * @default 1_048_576 (1 MiB)
   */
  maxPayloadBytes?: number;
  /**
   * How messages are written as entries: an instance of `JsonCodec`, `WatermillCodec`, `FieldCodec`, or of a class of your own
   * with their two methods. The readers need the same one.
   *
   * @default new JsonCodec()
   */
  codec?: Codec;
  /**
   * Nest's option: its result for a packet `{ pattern, data, metadata? }` is the payload that the codec then writes. It must be
   * synchronous. The readers need a `deserializer` that undoes it.
   *
   * @default none: the payload is the data
   */
  serializer?: ProducerSerializer;
  /**
   * Options of streams, by full name or by wildcard, such as `'orders.*'`. For each option the most specific key that sets
   * it applies: the stream's name, else the wildcard with the most characters that are not `*`, else the one listed first.
   * `partitions` need a full name. A client uses their codec,
   * schema and limits of publishing.
   *
   * @default {}
   */
  streams?: Record<string, PublishedStreamOptions>;
}
