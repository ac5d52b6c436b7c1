import { Counter, Histogram, type Registry } from 'prom-client';
import { onStreamsEvent } from '../../events/channels.js';
import type { ConsumedMessage, MessageRun } from '../../events/message-events.js';
import { GROUP_LABELS, groupLabels, type GroupLabels, type InstanceName, keyOf } from './labels.js';

/** An app may publish to any number of streams: this many get a label of their own, the others share one. */
const MOST_PUBLISHED = 100;
const OTHERS = '_other';

/** Every outcome starts at 0: if a series began with its first message, `increase()` would miss that message. */
const OUTCOMES = ['handled', 'retried', 'dead_letter', 'duplicate', 'unhandled', 'lost'] as const;
const CONNECTIONS = ['commands', 'blocking', 'client'] as const;

const HANDLER_SECONDS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const WAIT_SECONDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600, 14_400];

/**
 * Registers the metrics that are counted from events.
 *
 * @param instanceOf the instance of this app whose server an event comes from
 * @param counted the labels of the streams that servers have counts of: the series of others, which are gone, are removed
 * @returns removes them
 */
export function eventMetrics(
  registry: Registry,
  instanceOf: (message: Pick<ConsumedMessage, 'group' | 'consumer'>) => InstanceName | undefined,
  counted: () => readonly GroupLabels[],
): () => void {
  const registers = [registry];
  /** The labels of each stream that has series. */
  const known = new Map<string, GroupLabels>();
  const removeGone = (): void => {
    const present = new Set(counted().map(keyOf));
    for (const [key, labels] of known) {
      if (present.has(key)) continue;
      known.delete(key);
      for (const outcome of OUTCOMES) handled.remove({ ...labels, outcome });
      for (const seconds of [handlerSeconds, waitSeconds]) seconds.remove({ ...labels });
    }
  };
  const handled = new Counter({
    name: 'redis_streams_messages_handled_total',
    help: 'Messages by outcome; a message that is retried counts each time.',
    labelNames: [...GROUP_LABELS, 'outcome'],
    registers,
    collect: removeGone,
  });
  const published = new Counter({
    name: 'redis_streams_published_total',
    help: 'Messages that this process published, by the outcome of the call.',
    labelNames: ['stream', 'outcome'],
    registers,
  });
  const reconnects = new Counter({
    name: 'redis_streams_reconnects_total',
    help: 'How often a connection to Redis was lost, or could not be opened.',
    labelNames: ['connection'],
    registers,
  });
  const handlerSeconds = new Histogram({
    name: 'redis_streams_handler_duration_seconds',
    help: 'How long the handlers of a message ran, whether they succeeded or failed.',
    labelNames: GROUP_LABELS,
    buckets: HANDLER_SECONDS,
    registers,
    collect: removeGone,
  });
  const waitSeconds = new Histogram({
    name: 'redis_streams_publish_to_handle_seconds',
    help: 'Time from publishing a message to its first attempt, by the clock of Redis.',
    labelNames: GROUP_LABELS,
    buckets: WAIT_SECONDS,
    registers,
    collect: removeGone,
  });

  for (const connection of CONNECTIONS) reconnects.inc({ connection }, 0);

  type Outcome = (typeof OUTCOMES)[number];
  const count =
    (outcome: Outcome) =>
    (message: Pick<ConsumedMessage, 'stream' | 'group' | 'consumer'>): void => {
      const instance = instanceOf(message);
      if (instance === undefined) return;
      const labels = groupLabels(message, instance);
      const key = keyOf(labels);
      if (!known.has(key)) {
        known.set(key, labels);
        for (const each of OUTCOMES) handled.inc({ ...labels, outcome: each }, 0);
      }
      handled.inc({ ...labels, outcome });
    };
  const observe = (message: MessageRun): void => {
    const instance = instanceOf(message);
    if (instance === undefined) return;
    const { durationMs, waitedMs } = message;
    const labels = { ...groupLabels(message, instance) };
    handlerSeconds.observe(labels, durationMs / 1_000);
    if (waitedMs !== undefined) waitSeconds.observe(labels, waitedMs / 1_000);
  };
  const named = new Set<string>();
  const countPublished = (stream: string, outcome: string): void => {
    if (named.size < MOST_PUBLISHED) named.add(stream);
    published.inc({ stream: named.has(stream) ? stream : OTHERS, outcome });
  };
  const subscriptions = [
    onStreamsEvent('nestjs-redis-streams:message:handled', count('handled')),
    onStreamsEvent('nestjs-redis-streams:message:retried', count('retried')),
    onStreamsEvent('nestjs-redis-streams:message:dead-lettered', count('dead_letter')),
    onStreamsEvent('nestjs-redis-streams:message:duplicate', count('duplicate')),
    onStreamsEvent('nestjs-redis-streams:message:unhandled', count('unhandled')),
    onStreamsEvent('nestjs-redis-streams:message:lost', count('lost')),
    onStreamsEvent('nestjs-redis-streams:message:handled', observe),
    onStreamsEvent('nestjs-redis-streams:message:failed', observe),
    onStreamsEvent('nestjs-redis-streams:message:published', ({ stream, duplicate }) =>
      countPublished(stream, duplicate ? 'duplicate' : 'published'),
    ),
    onStreamsEvent('nestjs-redis-streams:message:publish-failed', ({ stream }) =>
      countPublished(stream, 'failed'),
    ),
    onStreamsEvent('nestjs-redis-streams:connection:reconnecting', ({ connection }) =>
      reconnects.inc({ connection }),
    ),
  ];
  const metrics = [handled, published, reconnects, handlerSeconds, waitSeconds];
  return () => {
    for (const unsubscribe of subscriptions) unsubscribe();
    for (const metric of metrics) registry.removeSingleMetric(Reflect.get(metric, 'name'));
  };
}
