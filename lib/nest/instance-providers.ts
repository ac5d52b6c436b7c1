import type { FactoryProvider, InjectionToken, Provider } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { DeadLetters } from '../dead-letters/dead-letters.js';
import { SafeLogger } from '../errors/safe-logger.js';
import { IdleConsumersJob } from '../jobs/idle-consumers.job.js';
import type { JobContext } from '../jobs/job.js';
import { LedgerMaintenanceJob } from '../jobs/ledger-maintenance.job.js';
import { RetentionJob } from '../jobs/retention.job.js';
import { limitsOf } from '../monitor/retention-headroom.js';
import { StreamsMonitor } from '../monitor/streams-monitor.js';
import type { resolveModuleOptions } from '../options/resolve-options.js';
import { ClientRedisStreams } from './client-redis-streams.js';
import { withInstanceName } from './instance-name.js';
import { getStreamsToken, PROVIDED, type StreamsProviderClass } from './streams-token.js';
import { InstanceLife } from './instance-life.js';
import { jobParts } from './job-parts.js';
import { RedisStreamsPull } from './pull/redis-streams-pull.js';
import { ScheduledJobs } from './scheduled-jobs.js';
import { ServerRedisStreams } from './server-redis-streams.js';

/** The options once they are checked and resolved. Like all tokens here that are not exported, each instance has its own. */
export const RESOLVED_OPTIONS = Symbol('RESOLVED_OPTIONS');
const JOB_PARTS = Symbol('JOB_PARTS');

type Resolved = ReturnType<typeof resolveModuleOptions>;

/** What an instance exports. */
const EXPORTED: readonly StreamsProviderClass[] = Object.values(PROVIDED);

/**
 * The providers of an instance, and what it exports: under the tokens of its name. Only the instance without a name has its
 * classes as tokens too: otherwise `app.get(ServerRedisStreams)` would find that of any instance.
 */
export function instanceProviders(name: string | undefined): {
  readonly providers: Provider[];
  readonly exports: InjectionToken[];
} {
  const tokens = EXPORTED.map((type) => getStreamsToken(type, name));
  if (name !== undefined) {
    return { providers: providersBy((type) => getStreamsToken(type, name), name), exports: tokens };
  }
  const byToken = EXPORTED.map((type) => ({ provide: getStreamsToken(type), useExisting: type }));
  return {
    providers: [...providersBy((type) => type, name), ...byToken],
    exports: [...EXPORTED, ...tokens],
  };
}

/** @param tokenOf the token by which this instance provides a class */
function providersBy(
  tokenOf: (type: StreamsProviderClass) => InjectionToken,
  name: string | undefined,
): FactoryProvider[] {
  const server = tokenOf(ServerRedisStreams);
  const client = tokenOf(ClientRedisStreams);
  const pull = tokenOf(RedisStreamsPull);
  const ledgerJob = tokenOf(LedgerMaintenanceJob);
  const retentionJob = tokenOf(RetentionJob);
  const consumersJob = tokenOf(IdleConsumersJob);
  const jobName = (job: string): string => `${withInstanceName('redis-streams', name)}:${job}`;
  return [
    {
      provide: server,
      inject: [RESOLVED_OPTIONS],
      useFactory: (resolved: Resolved) => new ServerRedisStreams(resolved.server),
    },
    {
      provide: client,
      inject: [RESOLVED_OPTIONS, server],
      useFactory: (resolved: Resolved, itsServer: ServerRedisStreams) =>
        new ClientRedisStreams(resolved.client, () => itsServer.isListening),
    },
    {
      provide: pull,
      inject: [RESOLVED_OPTIONS, server],
      useFactory: (resolved: Resolved, itsServer: ServerRedisStreams) =>
        new RedisStreamsPull(resolved.server, () =>
          itsServer.isListening ? itsServer.subscriptions() : [],
        ),
    },
    {
      provide: tokenOf(DeadLetters),
      inject: [RESOLVED_OPTIONS],
      useFactory: (resolved: Resolved) => {
        const { connection, group, keyPrefix } = resolved.server;
        return new DeadLetters({ connection, group, keyPrefix }, resolved.server);
      },
    },
    { provide: JOB_PARTS, inject: [server, client, pull], useFactory: jobParts },
    {
      provide: ledgerJob,
      inject: [JOB_PARTS],
      useFactory: (parts: JobContext) => new LedgerMaintenanceJob(parts),
    },
    {
      provide: consumersJob,
      inject: [JOB_PARTS],
      useFactory: (parts: JobContext) => new IdleConsumersJob(parts),
    },
    {
      provide: retentionJob,
      inject: [JOB_PARTS],
      useFactory: (parts: JobContext) =>
        new RetentionJob(parts, new SafeLogger(withInstanceName(RetentionJob.name, name))),
    },
    {
      provide: ScheduledJobs,
      inject: [ModuleRef, RESOLVED_OPTIONS, ledgerJob, retentionJob, consumersJob],
      useFactory: (
        moduleRef: ModuleRef,
        resolved: Resolved,
        ledger: LedgerMaintenanceJob,
        retention: RetentionJob,
        consumers: IdleConsumersJob,
      ) => {
        const { ledgerIntervalMs, retentionIntervalMs, consumersIntervalMs } =
          resolved.server.maintenance;
        return new ScheduledJobs(
          moduleRef,
          [
            { name: jobName('ledger'), everyMs: ledgerIntervalMs, run: () => ledger.run() },
            {
              name: jobName('retention'),
              everyMs: retentionIntervalMs,
              run: () => retention.run(),
            },
            {
              name: jobName('consumers'),
              everyMs: consumersIntervalMs,
              run: () => consumers.run(),
            },
          ],
          new SafeLogger(withInstanceName('RedisStreamsModule', name)),
        );
      },
    },
    {
      provide: tokenOf(StreamsMonitor),
      inject: [RESOLVED_OPTIONS, server, JOB_PARTS, ledgerJob, ScheduledJobs],
      useFactory: (
        resolved: Resolved,
        itsServer: ServerRedisStreams,
        { connection }: JobContext,
        ledgerMaintenance: LedgerMaintenanceJob,
        schedule: ScheduledJobs,
      ) =>
        new StreamsMonitor({
          server: itsServer,
          ledgerMaintenance,
          schedule,
          connection,
          limitsOf: (stream) => limitsOf(resolved, stream),
        }),
    },
    {
      provide: InstanceLife,
      inject: [server, pull, ScheduledJobs],
      useFactory: (itsServer: ServerRedisStreams, itsPull: RedisStreamsPull, jobs: ScheduledJobs) =>
        new InstanceLife(itsServer, itsPull, jobs),
    },
  ];
}
