import type { ConnectionOption } from './connection-option.js';

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
   * How long `emit()` may wait for a connection and an answer before it errors, in ms, 1 or more.
   *
   * @default 10_000
   */
  publishTimeoutMs?: number;
}
