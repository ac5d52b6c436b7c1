import type { Registry } from 'prom-client';

/** What {@link RedisStreamsMetricsModule} takes. */
export interface RedisStreamsMetricsOptions {
  /**
   * Where the metrics are registered. Give one of its own where several apps run in one process: a name can be registered
   * once.
   *
   * @default the registry that `prom-client` calls `register`
   */
  registry?: Registry;
  /**
   * For how long an answer of Redis is good, in ms, 0 or more: more often than that it is not asked, however often the
   * metrics are read. Raise it where there are many streams and many readers.
   *
   * @default 10 000
   */
  intervalMs?: number;
  /**
   * How long Redis may take for an answer, in ms, 1 or more; less than what the reader of the metrics waits for. Where it
   * takes longer, what only Redis knows is left out.
   *
   * @default 3 000
   */
  timeoutMs?: number;
}
