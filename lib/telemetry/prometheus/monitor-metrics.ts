import { Gauge, type Registry } from 'prom-client';
import type { StreamInspection } from '../../monitor/streams-inspection.js';
import type { StreamsStats } from '../../monitor/streams-stats.js';

/** What the gauges are told when they are read. */
export interface MetricsSource {
  stats(): StreamsStats;
  /** Asks Redis, or gives what it said of late; nothing where it does not answer. */
  inspection(): Promise<readonly StreamInspection[] | undefined>;
}

const seconds = (ms: number | undefined): number | undefined =>
  ms === undefined ? undefined : ms / 1_000;

/** What Redis knows: name, help, and its value, which is left out where it is not known. */
const OF_GROUPS: readonly [string, string, (its: StreamInspection) => number | undefined][] = [
  ['redis_streams_length', 'Entries of the stream.', ({ length }) => length],
  [
    'redis_streams_lag',
    'Entries that the group was not given yet; left out where Redis cannot know it.',
    ({ lag }) => lag,
  ],
  [
    'redis_streams_oldest_unread_seconds',
    'Age of the oldest entry that the group was not given yet; 0 where there is none.',
    (its) => seconds(its.groupExists ? (its.oldestUnreadAgeMs ?? 0) : undefined),
  ],
  [
    'redis_streams_pending',
    'Entries that the group was given and has not finished.',
    ({ pending }) => pending,
  ],
  [
    'redis_streams_oldest_pending_seconds',
    'Age of the oldest pending entry, from its publishing; 0 where there is none.',
    (its) => seconds(its.groupExists ? (its.oldestPendingAgeMs ?? 0) : undefined),
  ],
  [
    'redis_streams_retries_waiting',
    'Messages that wait for their next attempt.',
    ({ retries }) => retries.waiting,
  ],
  ['redis_streams_dead_letters', 'Dead letters.', ({ deadLetters }) => deadLetters.count],
  ['redis_streams_ledger_entries', 'Message IDs in the ledger.', ({ ledgerSize }) => ledgerSize],
  [
    'redis_streams_consumers',
    'Members of the group that are alive, and other consumers that Redis lists.',
    ({ consumers }) => consumers.length,
  ],
  [
    'redis_streams_retention_headroom_ratio',
    'How far the oldest unfinished entry is from being removed: 1 far, 0 there; left out without a limit.',
    ({ retentionHeadroom }) => retentionHeadroom,
  ],
];

/** Of a group whose members all died: 0, without a version. */
function aliveByVersion({ consumers, membersAlive }: StreamInspection): Map<string, number> {
  const counts = new Map<string, number>();
  if (membersAlive === 0) counts.set('', 0);
  for (const { isAlive, version = 'unknown' } of consumers) {
    if (isAlive === true) counts.set(version, (counts.get(version) ?? 0) + 1);
  }
  return counts;
}

/**
 * The metrics that are asked for when they are read.
 *
 * @returns ends it
 */
export function monitorMetrics(registry: Registry, source: MetricsSource): () => void {
  const names: string[] = [];
  const gauge = (
    name: string,
    help: string,
    labelNames: string[],
    fill: (set: (labels: Record<string, string>, value: number | undefined) => void) => unknown,
  ): void => {
    names.push(name);
    const made: Gauge = new Gauge({
      name,
      help,
      labelNames,
      registers: [registry],
      collect: async () => {
        made.reset();
        await fill((labels, value) => {
          if (value !== undefined) made.set(labels, value);
        });
      },
    });
  };

  for (const [name, help, valueOf] of OF_GROUPS) {
    gauge(name, help, ['stream', 'group'], async (set) => {
      for (const its of (await source.inspection()) ?? []) {
        set({ stream: its.stream, group: its.group }, valueOf(its));
      }
    });
  }
  gauge(
    'redis_streams_members_alive',
    'Members of the group that say that they are alive, by the version of this package; left out where none says anything.',
    ['stream', 'group', 'version'],
    async (set) => {
      for (const its of (await source.inspection()) ?? []) {
        for (const [version, count] of aliveByVersion(its)) {
          set({ stream: its.stream, group: its.group, version }, count);
        }
      }
    },
  );
  gauge('redis_streams_up', 'Whether Redis answers: 1 or 0.', [], async (set) => {
    set({}, (await source.inspection()) === undefined ? 0 : 1);
  });
  gauge(
    'redis_streams_in_flight',
    'Messages that are being handled.',
    ['stream', 'group'],
    (set) => {
      const { byStream, group } = source.stats();
      for (const { stream, inFlight } of byStream) set({ stream, group }, inFlight);
    },
  );
  gauge(
    'redis_streams_partitions_owned',
    'Partitions that this process has to itself; left out for streams without any.',
    ['stream', 'group'],
    (set) => {
      const { partitions, group } = source.stats();
      for (const { stream, owned } of partitions) set({ stream, group }, owned.length);
    },
  );
  const ofJobs = 'of a scheduled job in this process; left out before the first.';
  gauge(
    'redis_streams_job_last_run_timestamp_seconds',
    `End of the last run ${ofJobs}`,
    ['scheduled_job'],
    (set) => {
      for (const { name, lastRunAt } of source.stats().jobs) {
        set({ scheduled_job: name }, seconds(lastRunAt?.getTime()));
      }
    },
  );
  gauge(
    'redis_streams_job_last_duration_seconds',
    `Duration of the last run ${ofJobs}`,
    ['scheduled_job'],
    (set) => {
      for (const { name, lastDurationMs } of source.stats().jobs) {
        set({ scheduled_job: name }, seconds(lastDurationMs));
      }
    },
  );
  return () => {
    for (const name of names) registry.removeSingleMetric(name);
  };
}
