import {
  type BeforeApplicationShutdown,
  ConfigurableModuleBuilder,
  Inject,
  Module,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { AsyncLocalStorage } from 'node:async_hooks';
import { shareClasses } from '../errors/copies.js';
import { SafeLogger } from '../errors/safe-logger.js';
import { DeadLetters } from '../dead-letters/dead-letters.js';
import { IdleConsumersJob } from '../jobs/idle-consumers.job.js';
import type { JobContext } from '../jobs/job.js';
import { LedgerMaintenanceJob } from '../jobs/ledger-maintenance.job.js';
import { RetentionJob } from '../jobs/retention.job.js';
import { limitsOf } from '../monitor/retention-headroom.js';
import { StreamsMonitor } from '../monitor/streams-monitor.js';
import { resolveModuleOptions } from '../options/resolve-options.js';
import type { RedisStreamsModuleOptions } from '../options/server-options.js';
import { ClientRedisStreams } from './client-redis-streams.js';
import { ClosingFirst, ClosingFirstModule } from './closing-first.module.js';
import { jobParts } from './job-parts.js';
import { RedisStreamsPull } from './pull/redis-streams-pull.js';
import { ScheduledJobs } from './scheduled-jobs.js';
import { ServerRedisStreams } from './server-redis-streams.js';

type Override = (options: RedisStreamsModuleOptions) => RedisStreamsModuleOptions;

const overrides = new AsyncLocalStorage<Override>();

/**
 * For tests: an app that is made inside `make` gets overridden module options, such as another Redis and a prefix, however it
 * provides its own. Apps that are made at the same time do not affect each other.
 */
export const withOverride = <Made>(override: Override, make: () => Promise<Made>): Promise<Made> =>
  overrides.run(override, make);

const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } =
  new ConfigurableModuleBuilder<RedisStreamsModuleOptions>({ moduleName: 'RedisStreams' })
    .setClassMethodName('forRoot')
    .setExtras({ isGlobal: false }, (definition, { isGlobal }) => ({
      ...definition,
      global: isGlobal,
    }))
    .build();

/** The options once they are checked and resolved, for all providers. */
const RESOLVED_OPTIONS = Symbol('RESOLVED_OPTIONS');
const JOB_PARTS = Symbol('JOB_PARTS');

type Resolved = ReturnType<typeof resolveModuleOptions>;

/**
 * Provides `ServerRedisStreams`, `ClientRedisStreams`, `RedisStreamsPull`, `DeadLetters`, `StreamsMonitor` and the jobs, which are scheduled with the
 * app. Import it once in an app: two servers of one transport would each get every handler.
 *
 * @example
 * ```ts
 * @Module({
 *   imports: [RedisStreamsModule.forRoot({ connection: 'redis://localhost:6379', group: 'order-processor' })],
 *   controllers: [OrdersController],
 * })
 * export class AppModule {}
 * ```
 * @example With options from another provider:
 * ```ts
 * RedisStreamsModule.forRootAsync({
 *   inject: [ConfigService],
 *   useFactory: (config: ConfigService) => ({ connection: config.getOrThrow('REDIS_URL'), group: 'order-processor' }),
 * })
 * ```
 */
@Module({
  imports: [ClosingFirstModule],
  providers: [
    {
      provide: RESOLVED_OPTIONS,
      inject: [MODULE_OPTIONS_TOKEN],
      useFactory: (options: RedisStreamsModuleOptions): Resolved =>
        resolveModuleOptions(overrides.getStore()?.(options) ?? options),
    },
    {
      provide: ServerRedisStreams,
      inject: [RESOLVED_OPTIONS],
      useFactory: ({ server }: Resolved) => new ServerRedisStreams(server),
    },
    {
      provide: ClientRedisStreams,
      inject: [RESOLVED_OPTIONS, ServerRedisStreams],
      useFactory: ({ client }: Resolved, server: ServerRedisStreams) =>
        new ClientRedisStreams(client, () => server.isListening),
    },
    {
      provide: RedisStreamsPull,
      inject: [RESOLVED_OPTIONS, ServerRedisStreams],
      useFactory: (resolved: Resolved, server: ServerRedisStreams) =>
        new RedisStreamsPull(resolved.server, () =>
          server.isListening ? server.subscriptions() : [],
        ),
    },
    {
      provide: DeadLetters,
      inject: [RESOLVED_OPTIONS],
      useFactory: ({ server }: Resolved) => {
        const { connection, group, keyPrefix } = server;
        return new DeadLetters({ connection, group, keyPrefix }, server);
      },
    },
    {
      provide: JOB_PARTS,
      inject: [ServerRedisStreams, ClientRedisStreams, RedisStreamsPull],
      useFactory: jobParts,
    },
    ...[LedgerMaintenanceJob, IdleConsumersJob].map((Job) => ({
      provide: Job,
      inject: [JOB_PARTS],
      useFactory: (parts: JobContext) => new Job(parts),
    })),
    {
      provide: RetentionJob,
      inject: [JOB_PARTS],
      useFactory: (parts: JobContext) => new RetentionJob(parts, new SafeLogger(RetentionJob.name)),
    },
    {
      provide: ScheduledJobs,
      inject: [ModuleRef, RESOLVED_OPTIONS, LedgerMaintenanceJob, RetentionJob, IdleConsumersJob],
      useFactory: (
        moduleRef: ModuleRef,
        { server: { maintenance } }: Resolved,
        ledger: LedgerMaintenanceJob,
        retention: RetentionJob,
        consumers: IdleConsumersJob,
      ) =>
        new ScheduledJobs(moduleRef, [
          {
            name: 'redis-streams:ledger',
            everyMs: maintenance.ledgerIntervalMs,
            run: () => ledger.run(),
          },
          {
            name: 'redis-streams:retention',
            everyMs: maintenance.retentionIntervalMs,
            run: () => retention.run(),
          },
          {
            name: 'redis-streams:consumers',
            everyMs: maintenance.consumersIntervalMs,
            run: () => consumers.run(),
          },
        ]),
    },
    {
      provide: StreamsMonitor,
      inject: [
        RESOLVED_OPTIONS,
        ServerRedisStreams,
        JOB_PARTS,
        LedgerMaintenanceJob,
        ScheduledJobs,
      ],
      useFactory: (
        resolved: Resolved,
        server: ServerRedisStreams,
        { connection }: JobContext,
        ledgerMaintenance: LedgerMaintenanceJob,
        schedule: ScheduledJobs,
      ) =>
        new StreamsMonitor({
          server,
          ledgerMaintenance,
          schedule,
          connection,
          limitsOf: (stream) => limitsOf(resolved, stream),
        }),
    },
  ],
  exports: [
    ServerRedisStreams,
    ClientRedisStreams,
    RedisStreamsPull,
    DeadLetters,
    StreamsMonitor,
    LedgerMaintenanceJob,
    RetentionJob,
    IdleConsumersJob,
  ],
})
export class RedisStreamsModule
  extends ConfigurableModuleClass
  implements OnApplicationBootstrap, BeforeApplicationShutdown
{
  private noteSignal: (signal: string | undefined) => void = () => undefined;

  constructor(
    @Inject(ServerRedisStreams) server: ServerRedisStreams,
    @Inject(RedisStreamsPull) pull: RedisStreamsPull,
    @Inject(ScheduledJobs) private readonly jobs: ScheduledJobs,
    @Inject(ClosingFirst) closing: ClosingFirst,
  ) {
    super();
    // startAllMicroservices() alone runs no hooks.
    server.whenListening(() => jobs.start());
    server.whenListening(() => pull.warnOfHandlers());
    // Nest closes servers after modules. Running handlers have to end before that, while their providers still exist.
    const closes = new Promise<string | undefined>((resolve) => (this.noteSignal = resolve));
    closing.add(() => Promise.all([server.drainWithApp(closes), pull.close(), jobs.stop()]));
  }

  onApplicationBootstrap(): void {
    this.jobs.start();
  }

  beforeApplicationShutdown(signal?: string): void {
    this.noteSignal(signal);
  }
}

shareClasses({ RedisStreamsModule });
