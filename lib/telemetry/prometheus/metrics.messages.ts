export const NO_MONITOR =
  'RedisStreamsMetricsModule needs RedisStreamsModule in the same app: import it too';
