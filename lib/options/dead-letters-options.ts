import type { ConnectionOption } from './connection-option.js';

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
}
