import type { MeterProvider, TracerProvider } from '@opentelemetry/api';
import { onStreamsOperation } from '../../events/operations.js';
import { PACKAGE_VERSION } from '../../redis/server/package-version.js';
import { processSpan } from './handle-span.js';
import { Providers } from './providers.js';
import { sendSpan } from './publish-spans.js';
import { settleSpan } from './settle-span.js';
import { watching } from './spanned.js';

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

/**
 * Spans and metrics of what is published, handled and settled in this process, by OpenTelemetry's conventions for messaging. The
 * context of a trace travels in the headers of messages, and is active in their handlers.
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
  private ends: (() => void)[] | undefined;
  private readonly providers = new Providers(NAME, PACKAGE_VERSION);

  constructor(config: RedisStreamsInstrumentationConfig = {}) {
    this.config = { enabled: true, ...config };
    if (this.config.enabled === true) this.enable();
  }

  /** Begins, where it has not begun. It does not matter what was made before: clients and servers need not be made again. */
  enable(): void {
    this.ends ??= [
      onStreamsOperation('nestjs-redis-streams:publish', {
        start: (operation) => watching(() => sendSpan(this.providers, operation)),
      }),
      onStreamsOperation('nestjs-redis-streams:handle', {
        start: (operation) => watching(() => processSpan(this.providers, operation)),
      }),
      onStreamsOperation('nestjs-redis-streams:settle', {
        start: (operation) => watching(() => settleSpan(this.providers, operation)),
      }),
    ];
  }

  /** Ends it. Spans that are open end with what they are of. */
  disable(): void {
    for (const end of this.ends ?? []) end();
    this.ends = undefined;
  }

  /** Without it the global one is taken. */
  setTracerProvider(provider: TracerProvider): void {
    this.providers.tracerProvider = provider;
  }

  /** Without it the global one is taken. */
  setMeterProvider(provider: MeterProvider): void {
    this.providers.meterProvider = provider;
  }

  getConfig(): RedisStreamsInstrumentationConfig {
    return this.config;
  }

  setConfig(config: RedisStreamsInstrumentationConfig): void {
    this.config = { enabled: true, ...config };
  }
}
