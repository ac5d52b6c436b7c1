import {
  type MeterProvider,
  metrics,
  trace,
  type Tracer,
  type TracerProvider,
} from '@opentelemetry/api';
import { onStreamsOperation } from '../events/operations.js';
import { processSpan } from './handle-span.js';
import { Instruments } from './instruments.js';
import { sendSpan } from './publish-spans.js';
import { settleSpan } from './settle-span.js';
import { type Telemetry, watching } from './spanned.js';

/** What {@link RedisStreamsInstrumentation} takes. */
export interface RedisStreamsInstrumentationConfig {
  /**
   * Whether it begins when it is made. Where not, `enable()` or `registerInstrumentations()` begins it.
   *
   * @default true
   */
  enabled?: boolean;
}

const NAME = 'nestjs-redis-streams';
/** That of the package; a test compares them. */
const VERSION = '0.1.0';

/**
 * Spans and metrics of what is published, handled and settled in this process, by OpenTelemetry's conventions for messaging. The
 * context of a trace travels in the headers of messages, and is active in their handlers.
 *
 * @example
 * ```ts
 * registerInstrumentations({ instrumentations: [new RedisStreamsInstrumentation()] });
 * ```
 */
export class RedisStreamsInstrumentation implements Telemetry {
  readonly instrumentationName = NAME;
  readonly instrumentationVersion = VERSION;
  private config: RedisStreamsInstrumentationConfig;
  private ends: (() => void)[] | undefined;
  private tracerProvider: TracerProvider | undefined;
  private meterProvider: MeterProvider | undefined;
  private made: { readonly by: MeterProvider; readonly instruments: Instruments } | undefined;

  constructor(config: RedisStreamsInstrumentationConfig = {}) {
    this.config = { enabled: true, ...config };
    if (this.config.enabled === true) this.enable();
  }

  /** Begins, where it has not begun. It does not matter what was made before: clients and servers need not be made again. */
  enable(): void {
    this.ends ??= [
      onStreamsOperation('nestjs-redis-streams:publish', {
        start: (operation) => watching(() => sendSpan(this, operation)),
      }),
      onStreamsOperation('nestjs-redis-streams:handle', {
        start: (operation) => watching(() => processSpan(this, operation)),
      }),
      onStreamsOperation('nestjs-redis-streams:settle', {
        start: (operation) => watching(() => settleSpan(this, operation)),
      }),
    ];
  }

  /** Ends it. Spans that are open end with what they are of. */
  disable(): void {
    for (const end of this.ends ?? []) end();
    this.ends = undefined;
  }

  /** Without it, or with nothing, the global one is taken. */
  setTracerProvider(provider: TracerProvider): void {
    this.tracerProvider = provider;
  }

  /** Without it, or with nothing, the global one is taken. */
  setMeterProvider(provider: MeterProvider): void {
    this.meterProvider = provider;
  }

  getConfig(): RedisStreamsInstrumentationConfig {
    return this.config;
  }

  setConfig(config: RedisStreamsInstrumentationConfig): void {
    this.config = { enabled: true, ...config };
  }

  /** @internal */
  get tracer(): Tracer {
    return (this.tracerProvider ?? trace).getTracer(NAME, VERSION);
  }

  /** @internal Those of the global provider are made again when it is set: until then it gives some that do nothing. */
  get instruments(): Instruments {
    const by = this.meterProvider ?? metrics.getMeterProvider();
    if (this.made?.by !== by) {
      this.made = { by, instruments: new Instruments(by.getMeter(NAME, VERSION)) };
    }
    return this.made.instruments;
  }
}
