export {
  RedisStreamsInstrumentation,
  type RedisStreamsInstrumentationConfig,
} from './redis-streams.instrumentation.js';
