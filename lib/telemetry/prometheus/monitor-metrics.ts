import { Gauge, type Registry } from 'prom-client';
import type { StreamInspection, StreamsStats } from '../../monitor/streams-inspection.js';
import {
  GROUP_LABELS,
  groupLabels,
  INSTANCE_LABELS,
  instanceLabels,
  type InstanceName,
} from './labels.js';

/** Where the gauges get their values when they are read. */
export interface MetricsSource extends InstanceName {
  stats(): StreamsStats;
  /** What Redis says now, or said recently; undefined if it does not answer. */
  inspection(): Promise<readonly StreamInspection[] | undefined>;
}

const seconds = (ms: number | undefined): number | undefined =>
  ms === undefined ? undefined : ms / 1_000;

/** What Redis knows about a group: name, help and value. An unknown value is left out. */
const OF_GROUPS: readonly [string, string, (of: StreamInspection) => number | undefined][] = [
  ['redis_streams_length', 'Entries of the stream.', ({ length }) => length],
  [
    'redis_streams_lag',
    'Entries not yet delivered to the group; left out if Redis cannot know it.',
    ({ lag }) => lag,
  ],
  [
    'redis_streams_oldest_unread_seconds',
    'Age of the oldest entry not yet delivered to the group; 0 if there is none.',
    ({ groupExists, oldestUnreadAgeMs = 0 }) =>
      seconds(groupExists ? oldestUnreadAgeMs : undefined),
  ],
  [
    'redis_streams_pending',
    'Entries that were delivered to the group and are not finished.',
    ({ pending }) => pending,
  ],
  [
    'redis_streams_oldest_pending_seconds',
    'Time since the oldest pending entry was published; 0 if there is none.',
    ({ groupExists, oldestPendingAgeMs = 0 }) =>
      seconds(groupExists ? oldestPendingAgeMs : undefined),
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
    'How far the oldest unfinished entry is from being removed: from 1 (far) to 0 (about to be); left out without a limit.',
    ({ retentionHeadroom }) => retentionHeadroom,
  ],
];

/** The living members of a group, by version. If all of them died: 0, without a version. */
function aliveByVersion({ consumers, membersAlive }: StreamInspection): Map<string, number> {
  const counts = new Map<string, number>();
  if (membersAlive === 0) counts.set('', 0);
  for (const { isAlive, version = 'unknown' } of consumers) {
    if (isAlive === true) counts.set(version, (counts.get(version) ?? 0) + 1);
  }
  return counts;
}

/**
 * Registers the metrics that are measured when they are read.
 *
 * @param sources of each instance of the app
 * @returns removes them
 */
export function monitorMetrics(
  registry: Registry,
  sources: () => readonly MetricsSource[],
): () => void {
  const names: string[] = [];
  const gauge = (
    name: string,
    help: string,
    labelNames: readonly string[],
    fill: (
      set: (labels: object, value: number | undefined) => void,
      source: MetricsSource,
    ) => unknown,
  ): void => {
    names.push(name);
    const created: Gauge = new Gauge({
      name,
      help,
      labelNames: [...new Set([...labelNames, ...INSTANCE_LABELS])],
      registers: [registry],
      collect: async () => {
        created.reset();
        const set = (labels: object, value: number | undefined): void => {
          if (value !== undefined) created.set({ ...labels }, value);
        };
        await Promise.all(sources().map((source) => fill(set, source)));
      },
    });
  };

  for (const [name, help, valueOf] of OF_GROUPS) {
    gauge(name, help, GROUP_LABELS, async (set, source) => {
      for (const inspection of (await source.inspection()) ?? []) {
        set(groupLabels(inspection, source), valueOf(inspection));
      }
    });
  }
  gauge(
    'redis_streams_members_alive',
    'Members of the group that report that they are alive, by version of this package; left out if none reports anything.',
    [...GROUP_LABELS, 'version'],
    async (set, source) => {
      for (const inspection of (await source.inspection()) ?? []) {
        const labels = groupLabels(inspection, source);
        for (const [version, count] of aliveByVersion(inspection)) {
          set({ ...labels, version }, count);
        }
      }
    },
  );
  gauge('redis_streams_up', 'Whether Redis answers: 1 or 0.', [], async (set, source) => {
    set(instanceLabels(source), (await source.inspection()) === undefined ? 0 : 1);
  });
  gauge(
    'redis_streams_in_flight',
    'Messages that are being handled.',
    GROUP_LABELS,
    (set, source) => {
      const { byStream, group } = source.stats();
      for (const { stream, inFlight } of byStream) {
        set(groupLabels({ stream, group }, source), inFlight);
      }
    },
  );
  gauge(
    'redis_streams_partitions_owned',
    'Partitions that this process owns; left out for streams without partitions.',
    GROUP_LABELS,
    (set, source) => {
      const { partitions, group } = source.stats();
      for (const { stream, owned } of partitions) {
        set(groupLabels({ stream, group }, source), owned.length);
      }
    },
  );
  const ofJob = 'of a scheduled job in this process; left out before the first run.';
  gauge(
    'redis_streams_job_last_run_timestamp_seconds',
    `End of the last run ${ofJob}`,
    ['scheduled_job'],
    (set, source) => {
      for (const { name, lastRunAt } of source.stats().jobs) {
        set({ scheduled_job: name, ...instanceLabels(source) }, seconds(lastRunAt?.getTime()));
      }
    },
  );
  gauge(
    'redis_streams_job_last_duration_seconds',
    `Duration of the last run ${ofJob}`,
    ['scheduled_job'],
    (set, source) => {
      for (const { name, lastDurationMs } of source.stats().jobs) {
        set({ scheduled_job: name, ...instanceLabels(source) }, seconds(lastDurationMs));
      }
    },
  );
  return () => {
    for (const name of names) registry.removeSingleMetric(name);
  };
}
