import type { Codec } from '../wire/codec.js';
import type { ConnectionOption } from './connection-option.js';
import type { PublishedStreamOptions } from './stream-options.js';

/** Options of `DeadLetters`. */
export interface DeadLettersOptions {
  /** @default 'redis://127.0.0.1:6379' */
  connection?: ConnectionOption;
  /**
   * The group whose dead letters are meant where a call names none.
   *
   * @default none: each call names its group
   */
  group?: string;
  /**
   * Put before every stream's name in Redis.
   *
   * @default ''
   */
  keyPrefix?: string;
  /**
   * How the entries were written: what the server of the group has. Payload, headers and message ID are read with it.
   *
   * @default new JsonCodec()
   */
  codec?: Codec;
  /**
   * What is set for single streams, by name.
   *
   * @default {}
   */
  streams?: Record<string, PublishedStreamOptions>;
}
