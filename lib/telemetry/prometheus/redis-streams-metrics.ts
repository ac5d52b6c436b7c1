import type { OnApplicationShutdown, OnModuleInit } from '@nestjs/common';
import type { ModuleRef } from '@nestjs/core';
import { register } from 'prom-client';
import type { StreamInspection } from '../../monitor/streams-inspection.js';
import { StreamsMonitor } from '../../monitor/streams-monitor.js';
import { checkOptions } from '../../options/check-options.js';
import { eventMetrics } from './event-metrics.js';
import type { RedisStreamsMetricsOptions } from './metrics-options.js';
import { metricsOptionsSchema } from './metrics-options.schema.js';
import * as text from './metrics.messages.js';
import { monitorMetrics } from './monitor-metrics.js';

/** Keeps the metrics of one app, from when it is made until the app is closed. */
export class RedisStreamsMetrics implements OnModuleInit, OnApplicationShutdown {
  private readonly ends: (() => void)[];
  private readonly intervalMs: number;
  private readonly timeoutMs: number;
  private answer: Promise<readonly StreamInspection[] | undefined> | undefined;
  private goodUntil = 0;
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
    this.ends = [
      eventMetrics(registry, isOurs),
      monitorMetrics(registry, {
        stats: () => this.monitor.getStats(),
        inspection: () => this.inspection(),
      }),
    ];
  }

  /** Where there is no `RedisStreamsModule` the app does not start. */
  onModuleInit(): void {
    if (this.find() !== undefined) return;
    this.onApplicationShutdown();
    throw new Error(text.NO_MONITOR);
  }

  onApplicationShutdown(): void {
    for (const end of this.ends.splice(0)) end();
  }

  // Not injected: the module with the monitor need not be global, and may come after this one.
  private get monitor(): StreamsMonitor {
    const monitor = this.find();
    if (monitor === undefined) throw new Error(text.NO_MONITOR);
    return monitor;
  }

  private find(): StreamsMonitor | undefined {
    try {
      this.found ??= this.moduleRef.get<StreamsMonitor>(StreamsMonitor, { strict: false });
    } catch {
      // Not made yet, or not imported at all.
    }
    return this.found;
  }

  /** All gauges of one reading have one answer. */
  private inspection(): Promise<readonly StreamInspection[] | undefined> {
    if (this.answer === undefined || performance.now() >= this.goodUntil) {
      // Until it is there, whoever asks waits for the same one.
      this.goodUntil = Infinity;
      this.answer = this.monitor
        .inspect({ timeoutMs: this.timeoutMs })
        .then(({ streams }) => streams)
        .catch(() => undefined)
        .finally(() => {
          this.goodUntil = performance.now() + this.intervalMs;
        });
    }
    return this.answer;
  }
}
