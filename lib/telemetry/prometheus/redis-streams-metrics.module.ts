import {
  type DynamicModule,
  Module,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { register, type Registry } from 'prom-client';
import type { StreamInspection, StreamsStats } from '../../monitor/streams-inspection.js';
import { StreamsMonitor } from '../../monitor/streams-monitor.js';
import { instancesIn } from '../../nest/instances.js';
import { checkOptions } from '../../options/check-options.js';
import { object, timerMs, withMethods } from '../../options/option-kinds.js';
import { eventMetrics } from './event-metrics.js';
import { type GroupLabels, groupLabels } from './labels.js';
import { type MetricsSource, monitorMetrics } from './monitor-metrics.js';

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
          inject: [ModulesContainer],
          useFactory: (modules: ModulesContainer) => new RedisStreamsMetrics(modules, options),
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
  private found: MeasuredInstance[] = [];

  /** @throws InvalidOptionsError */
  constructor(
    private readonly modules: ModulesContainer,
    options: RedisStreamsMetricsOptions,
  ) {
    checkOptions(metricsOptionsSchema, options, 'metrics');
    const { registry = register, intervalMs = 10_000, timeoutMs = 3_000 } = options;
    this.intervalMs = intervalMs;
    this.timeoutMs = timeoutMs;
    this.removals = [
      eventMetrics(
        registry,
        (message) => this.instances.find(({ monitor }) => monitor.isOf(message)),
        () => this.instances.flatMap((instance) => instance.counted()),
      ),
      monitorMetrics(registry, () => this.measured()),
    ];
  }

  /** Without a `RedisStreamsModule` the app does not start. */
  onModuleInit(): void {
    if (this.instances.length > 0) return;
    this.onApplicationShutdown();
    throw new Error(NO_MONITOR);
  }

  onApplicationShutdown(): void {
    for (const remove of this.removals.splice(0)) remove();
  }

  private measured(): MeasuredInstance[] {
    if (this.instances.length === 0) throw new Error(NO_MONITOR);
    return this.instances;
  }

  // Not injected: the modules with the monitors need not be global, and may be imported after this one.
  private get instances(): MeasuredInstance[] {
    const instances = this.found.length === 0 ? instancesIn(this.modules) : [];
    const monitors = instances.map(({ name, get }) => [name, get(StreamsMonitor)] as const);
    if (monitors.some(([, monitor]) => monitor === undefined)) return [];
    for (const [name, monitor] of monitors) {
      if (monitor === undefined) continue;
      this.found.push(new MeasuredInstance(name, monitor, this.intervalMs, this.timeoutMs));
    }
    return this.found;
  }
}

/** An instance, and what Redis said last about its streams. */
class MeasuredInstance implements MetricsSource {
  private answer: Promise<readonly StreamInspection[] | undefined> | undefined;
  private reuseUntil = 0;

  constructor(
    readonly name: string | undefined,
    readonly monitor: StreamsMonitor,
    private readonly intervalMs: number,
    private readonly timeoutMs: number,
  ) {}

  stats(): StreamsStats {
    return this.monitor.getStats();
  }

  counted(): GroupLabels[] {
    const { byStream, group } = this.stats();
    return byStream.map(({ stream }) => groupLabels({ stream, group }, this));
  }

  /** Asks Redis once for all gauges that are read together, and reuses the answer for a while. */
  inspection(): Promise<readonly StreamInspection[] | undefined> {
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
