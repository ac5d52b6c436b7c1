import {
  type DynamicModule,
  Module,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { register, type Registry } from 'prom-client';
import type { StreamInspection } from '../../monitor/streams-inspection.js';
import { StreamsMonitor } from '../../monitor/streams-monitor.js';
import { checkOptions } from '../../options/check-options.js';
import { object, timerMs, withMethods } from '../../options/option-kinds.js';
import { eventMetrics } from './event-metrics.js';
import { monitorMetrics } from './monitor-metrics.js';

/** Options of {@link RedisStreamsMetricsModule}. */
export interface RedisStreamsMetricsOptions {
  /**
   * Where the metrics are registered. If several apps run in one process, give each its own registry: a name can be registered
   * only once.
   *
   * @default the registry that `prom-client` calls `register`
   */
  registry?: Registry;
  /**
   * How long an answer of Redis is reused, in ms, 0 or more: however often the metrics are read, Redis is not asked more
   * often than that. Raise it if there are many streams and many readers.
   *
   * @default 10 000
   */
  intervalMs?: number;
  /**
   * How long Redis may take to answer, in ms, 1 or more; keep it below the timeout of whoever reads the metrics. If Redis takes
   * longer, the metrics that only Redis knows are left out.
   *
   * @default 3 000
   */
  timeoutMs?: number;
}

const metricsOptionsSchema = object(
  {
    registry: withMethods(['registerMetric', 'removeSingleMetric'], 'a Registry of prom-client'),
    intervalMs: timerMs(0),
    timeoutMs: timerMs(1),
  },
  'an object with registry, intervalMs, timeoutMs',
);

const NO_MONITOR =
  'RedisStreamsMetricsModule needs RedisStreamsModule in the same app: import it too';

/**
 * Exports metrics of the app's streams with `prom-client`. Import it in addition to `RedisStreamsModule`, and serve the registry
 * as you do for other metrics.
 *
 * @example
 * ```ts
 * @Module({ imports: [RedisStreamsModule.forRoot({ group: 'billing' }), RedisStreamsMetricsModule.forRoot()] })
 * export class AppModule {}
 * ```
 */
@Module({})
export class RedisStreamsMetricsModule {
  static forRoot(options: RedisStreamsMetricsOptions = {}): DynamicModule {
    return {
      module: RedisStreamsMetricsModule,
      providers: [
        {
          provide: RedisStreamsMetrics,
          inject: [ModuleRef],
          useFactory: (moduleRef: ModuleRef) => new RedisStreamsMetrics(moduleRef, options),
        },
      ],
    };
  }
}

/** Registers the metrics of one app, and removes them when the app is closed. */
class RedisStreamsMetrics implements OnModuleInit, OnApplicationShutdown {
  private readonly removals: (() => void)[];
  private readonly intervalMs: number;
  private readonly timeoutMs: number;
  private answer: Promise<readonly StreamInspection[] | undefined> | undefined;
  private reuseUntil = 0;
  private found: StreamsMonitor | undefined;

  /** @throws InvalidOptionsError */
  constructor(
    private readonly moduleRef: ModuleRef,
    options: RedisStreamsMetricsOptions,
  ) {
    checkOptions(metricsOptionsSchema, options, 'metrics');
    const { registry = register, intervalMs = 10_000, timeoutMs = 3_000 } = options;
    this.intervalMs = intervalMs;
    this.timeoutMs = timeoutMs;
    const isOurs = ({ consumer }: { readonly consumer: string }): boolean =>
      consumer === this.find()?.consumer;
    this.removals = [
      eventMetrics(registry, isOurs, () => this.find()?.getStats().byStream ?? []),
      monitorMetrics(registry, {
        stats: () => this.monitor.getStats(),
        inspection: () => this.inspection(),
      }),
    ];
  }

  /** Without a `RedisStreamsModule` the app does not start. */
  onModuleInit(): void {
    if (this.find() !== undefined) return;
    this.onApplicationShutdown();
    throw new Error(NO_MONITOR);
  }

  onApplicationShutdown(): void {
    for (const remove of this.removals.splice(0)) remove();
  }

  // Not injected: the module with the monitor need not be global, and may be imported after this one.
  private get monitor(): StreamsMonitor {
    const monitor = this.find();
    if (monitor === undefined) throw new Error(NO_MONITOR);
    return monitor;
  }

  private find(): StreamsMonitor | undefined {
    try {
      this.found ??= this.moduleRef.get<StreamsMonitor>(StreamsMonitor, { strict: false });
    } catch {
      // It does not exist yet, or is not imported at all.
    }
    return this.found;
  }

  /** Asks Redis once for all gauges that are read together, and reuses the answer for a while. */
  private inspection(): Promise<readonly StreamInspection[] | undefined> {
    if (this.answer === undefined || performance.now() >= this.reuseUntil) {
      // Until the answer arrives, everybody waits for this one.
      this.reuseUntil = Infinity;
      this.answer = this.monitor
        .inspect({ timeoutMs: this.timeoutMs })
        .then(({ streams }) => streams)
        .catch(() => undefined)
        .finally(() => {
          this.reuseUntil = performance.now() + this.intervalMs;
        });
    }
    return this.answer;
  }
}
