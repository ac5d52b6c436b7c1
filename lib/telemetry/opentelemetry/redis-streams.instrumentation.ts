import type { MeterProvider, TracerProvider } from '@opentelemetry/api';
import { onStreamsOperation } from '../../events/operations.js';
import { PACKAGE_VERSION } from '../../redis/server/package-version.js';
import { processSpan, sendSpan, settleSpan } from './operation-spans.js';
import { safely, Telemetry } from './telemetry.js';

/** Options of {@link RedisStreamsInstrumentation}. */
export interface RedisStreamsInstrumentationConfig {
  /**
   * Whether it starts at once. Otherwise `enable()` or `registerInstrumentations()` starts it.
   *
   * @default true
   */
  enabled?: boolean;
}

const NAME = 'nestjs-redis-streams';

/**
 * Creates spans and metrics for publishing, handling and settling messages in this process, by OpenTelemetry's conventions for
 * messaging. The context of a trace travels in the headers of messages, and is active in their handlers.
 *
 * @example
 * ```ts
 * registerInstrumentations({ instrumentations: [new RedisStreamsInstrumentation()] });
 * ```
 */
export class RedisStreamsInstrumentation {
  readonly instrumentationName = NAME;
  readonly instrumentationVersion = PACKAGE_VERSION;
  private config: RedisStreamsInstrumentationConfig;
  private subscriptions: (() => void)[] | undefined;
  private readonly telemetry = new Telemetry(NAME, PACKAGE_VERSION);

  constructor(config: RedisStreamsInstrumentationConfig = {}) {
    this.config = { enabled: true, ...config };
    if (this.config.enabled === true) this.enable();
  }

  /** Starts, unless it has started. It applies to clients and servers that already exist, too. */
  enable(): void {
    this.subscriptions ??= [
      onStreamsOperation('nestjs-redis-streams:publish', {
        start: (operation) => safely(() => sendSpan(this.telemetry, operation)),
      }),
      onStreamsOperation('nestjs-redis-streams:handle', {
        start: (operation) => safely(() => processSpan(this.telemetry, operation)),
      }),
      onStreamsOperation('nestjs-redis-streams:settle', {
        start: (operation) => safely(() => settleSpan(this.telemetry, operation)),
      }),
    ];
  }

  /** Stops. Open spans end when their operations end. */
  disable(): void {
    for (const unsubscribe of this.subscriptions ?? []) unsubscribe();
    this.subscriptions = undefined;
  }

  /** By default the global provider is used. */
  setTracerProvider(provider: TracerProvider): void {
    this.telemetry.tracerProvider = provider;
  }

  /** By default the global provider is used. */
  setMeterProvider(provider: MeterProvider): void {
    this.telemetry.meterProvider = provider;
  }

  getConfig(): RedisStreamsInstrumentationConfig {
    return this.config;
  }

  setConfig(config: RedisStreamsInstrumentationConfig): void {
    this.config = { enabled: true, ...config };
  }
}
