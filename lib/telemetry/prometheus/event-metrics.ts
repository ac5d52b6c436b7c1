import { Counter, Histogram, type Registry } from 'prom-client';
import { onStreamsEvent } from '../../events/channels.js';
import type { ConsumedMessage, MessageRun } from '../../events/message-events.js';

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
 * @param isOurs whether an event comes from this app's server
 * @param counted the streams that the server has counts of: the series of others, which are gone, are removed
 * @returns removes them
 */
export function eventMetrics(
  registry: Registry,
  isOurs: (message: Pick<ConsumedMessage, 'consumer'>) => boolean,
  counted: () => readonly { readonly stream: string }[],
): () => void {
  const registers = [registry];
  const byGroup = ['stream', 'group'] as const;
  /** The group of each stream that has series. */
  const known = new Map<string, string>();
  const removeGone = (): void => {
    const present = new Set(counted().map(({ stream }) => stream));
    for (const [stream, group] of known) {
      if (present.has(stream)) continue;
      known.delete(stream);
      for (const outcome of OUTCOMES) handled.remove({ stream, group, outcome });
      for (const seconds of [handlerSeconds, waitSeconds]) seconds.remove({ stream, group });
    }
  };
  const handled = new Counter({
    name: 'redis_streams_messages_handled_total',
    help: 'Messages by outcome; a message that is retried counts each time.',
    labelNames: [...byGroup, 'outcome'],
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
    labelNames: byGroup,
    buckets: HANDLER_SECONDS,
    registers,
    collect: removeGone,
  });
  const waitSeconds = new Histogram({
    name: 'redis_streams_publish_to_handle_seconds',
    help: 'Time from publishing a message to its first attempt, by the clock of Redis.',
    labelNames: byGroup,
    buckets: WAIT_SECONDS,
    registers,
    collect: removeGone,
  });

  for (const connection of CONNECTIONS) reconnects.inc({ connection }, 0);

  type Outcome = (typeof OUTCOMES)[number];
  const count =
    (outcome: Outcome) =>
    (message: Pick<ConsumedMessage, 'stream' | 'group' | 'consumer'>): void => {
      if (!isOurs(message)) return;
      const { stream, group } = message;
      if (!known.has(stream)) {
        known.set(stream, group);
        for (const each of OUTCOMES) handled.inc({ stream, group, outcome: each }, 0);
      }
      handled.inc({ stream, group, outcome });
    };
  const observe = (message: MessageRun): void => {
    if (!isOurs(message)) return;
    const { stream, group, durationMs, waitedMs } = message;
    handlerSeconds.observe({ stream, group }, durationMs / 1_000);
    if (waitedMs !== undefined) waitSeconds.observe({ stream, group }, waitedMs / 1_000);
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
