import { setTimeout as delay } from 'node:timers/promises';
import type { ModuleRef } from '@nestjs/core';
import { SchedulerRegistry } from '@nestjs/schedule';
import type { SafeLogger } from '../errors/safe-logger.js';
import type { JobResult } from '../jobs/job.js';
import type { JobStats } from '../monitor/streams-inspection.js';
import { errorText } from '../redis/server/redis-errors.js';

/** How long to wait for running jobs at the end. A step of a job takes less, and the next run continues the rest. */
const STOP_MS = 500;

/** How a job's last run ended. */
type LastRun = Pick<JobStats, 'lastRunAt' | 'lastRemoved' | 'lastDurationMs' | 'lastError'>;

/** A job, and when it runs. */
export interface ScheduledJob {
  /** Its name in the `SchedulerRegistry`. */
  readonly name: string;
  readonly everyMs: number;
  readonly run: () => Promise<JobResult>;
}

/**
 * Runs the jobs at their intervals, registered by name: in the app's own registry if it imports `ScheduleModule`,
 * else in one of ours.
 */
export class ScheduledJobs {
  private readonly running = new Map<string, Promise<void>>();
  private readonly lastRuns = new Map<string, LastRun>();
  private registry: SchedulerRegistry | undefined;

  constructor(
    private readonly moduleRef: ModuleRef,
    private readonly jobs: readonly ScheduledJob[],
    private readonly logger: SafeLogger,
  ) {}

  get isScheduled(): boolean {
    return this.registry !== undefined;
  }

  /** The jobs, and how their scheduled runs ended. */
  get stats(): readonly JobStats[] {
    return this.jobs.map(({ name, everyMs }) => ({
      name,
      everyMs,
      scheduled: this.isScheduled,
      running: this.running.has(name),
      lastRunAt: undefined,
      lastRemoved: undefined,
      lastDurationMs: undefined,
      lastError: undefined,
      ...this.lastRuns.get(name),
    }));
  }

  /** May be called twice: by the app's bootstrap and by the server. */
  start(): void {
    if (this.registry !== undefined) return;
    const registry = this.findRegistry();
    this.registry = registry;
    for (const job of this.jobs) {
      const interval = setInterval(() => this.runOnce(job), job.everyMs);
      interval.unref();
      registry.addInterval(job.name, interval);
    }
  }

  /** Ends the intervals, and waits a moment for running jobs: if Redis is away, they would never end. */
  async stop(): Promise<void> {
    const { registry } = this;
    this.registry = undefined;
    for (const { name } of this.jobs) {
      // The app's ScheduleModule may have cleared them already.
      if (registry?.doesExist('interval', name) === true) registry.deleteInterval(name);
    }
    await Promise.race([
      Promise.all(this.running.values()),
      delay(STOP_MS, undefined, { ref: false }),
    ]);
  }

  private findRegistry(): SchedulerRegistry {
    try {
      return this.moduleRef.get(SchedulerRegistry, { strict: false });
    } catch {
      return new SchedulerRegistry();
    }
  }

  private runOnce({ name, run }: ScheduledJob): void {
    if (this.running.has(name)) return;
    const startedAt = performance.now();
    const note = (lastRemoved: number, lastError?: string): void => {
      const lastDurationMs = performance.now() - startedAt;
      this.lastRuns.set(name, { lastRunAt: new Date(), lastRemoved, lastDurationMs, lastError });
    };
    const done = run()
      .then(({ removed }) => {
        note(removed);
        if (removed > 0) this.logger.debug(`Job "${name}" removed ${removed}`);
      })
      .catch((error: unknown) => {
        const [reason, before] = [errorText(error), this.lastRuns.get(name)?.lastError];
        note(0, reason);
        // Logged once, until it succeeds or fails for another reason. Its connection closes with the app.
        if (this.isScheduled && reason !== before) {
          this.logger.warn(`Job "${name}" failed: ${reason}`);
        }
      })
      .finally(() => this.running.delete(name));
    this.running.set(name, done);
  }
}
