import { shown } from '../../errors/thrown.js';
import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import { z } from 'zod';
import type { StreamInspection } from '../../monitor/streams-inspection.js';
import { StreamsMonitor } from '../../monitor/streams-monitor.js';
import { instancesIn, type StreamsInstance } from '../../nest/instances.js';
import { ServerRedisStreams } from '../../nest/server-redis-streams.js';
import { whyUnserved } from '../../nest/unserved-handlers.js';
import { InvalidOptionsError } from '../../errors/redis-streams.error.js';
import { checkOptions } from '../../options/check-options.js';
import { count, instanceName, object, timerMs } from '../../options/option-kinds.js';
import { errorText } from '../../redis/server/redis-errors.js';
import { serverProblems } from './server-problems.js';

/** When a service counts as unhealthy. A limit that is not set is not checked, except those with a default. */
export interface RedisStreamsHealthLimits {
  /**
   * Which instance of `RedisStreamsModule` is checked, in an app with several.
   *
   * @default all of them
   */
  name?: string;
  /**
   * How long ago the oldest pending entry of the group may have been published, in ms, 1 or more.
   *
   * @default none
   */
  maxPendingAgeMs?: number;
  /**
   * How many entries the group may be behind, 0 or more. If Redis cannot know it, it is not checked.
   *
   * @default none
   */
  maxLag?: number;
  /**
   * How many dead letters a group may have, 0 or more.
   *
   * @default none
   */
  maxDeadLetters?: number;
  /**
   * How close the oldest unfinished entry may be to being removed, from 0 (about to be) to 1 (far).
   *
   * @default none
   */
  minRetentionHeadroom?: number;
  /**
   * How long ago the last read may have ended, in ms, 1 or more. Reads end at least every `blockMs` while handlers are free.
   *
   * @default `blockMs` and 5 000
   */
  maxReaderQuietMs?: number;
  /**
   * How long Redis may take to answer, in ms, 1 or more. Keep it below the timeout of whoever calls the health check.
   *
   * @default 2 000
   */
  timeoutMs?: number;
}

const share = 'a number from 0 to 1';

const healthLimitsSchema = object(
  {
    name: instanceName,
    maxPendingAgeMs: count(1, Number.MAX_SAFE_INTEGER),
    maxLag: count(0, Number.MAX_SAFE_INTEGER),
    maxDeadLetters: count(0, Number.MAX_SAFE_INTEGER),
    minRetentionHeadroom: z
      .number({ error: share })
      .min(0, { error: share })
      .max(1, { error: share })
      .optional(),
    maxReaderQuietMs: timerMs(1),
    timeoutMs: timerMs(1),
  },
  'an object with name, maxPendingAgeMs, maxLag, maxDeadLetters, minRetentionHeadroom, maxReaderQuietMs, timeoutMs',
);

/** How much longer than `blockMs` a read may take. */
const READER_SLACK_MS = 5_000;
const TIMEOUT_MS = 2_000;
const CLOSING = 'the app is closing';
const NO_MODULE =
  'RedisStreamsHealthIndicator needs RedisStreamsModule in the same app: import it too';

/**
 * Reports whether this app's server can do its work; if it has several instances, all of them. It is down if Redis does not answer, evicts keys or is a replica, if the
 * reader hangs, a group is missing or a limit is exceeded; and as soon as the app begins to close.
 *
 * @example
 * ```ts
 * @Controller('health')
 * export class HealthController {
 *   constructor(
 *     private readonly health: HealthCheckService,
 *     private readonly streams: RedisStreamsHealthIndicator,
 *   ) {}
 *
 *   @Get()
 *   @HealthCheck()
 *   check() {
 *     return this.health.check([() => this.streams.isHealthy('streams', { maxLag: 10_000 })]);
 *   }
 * }
 *
 * @Module({ imports: [TerminusModule], controllers: [HealthController], providers: [RedisStreamsHealthIndicator] })
 * export class HealthModule {}
 * ```
 */
@Injectable()
export class RedisStreamsHealthIndicator implements OnModuleDestroy {
  private closing = false;

  constructor(
    @Inject(ModulesContainer) private readonly modules: ModulesContainer,
    @Inject(HealthIndicatorService) private readonly service: HealthIndicatorService,
  ) {}

  /**
   * @param key the key of this indicator in the result
   * @returns up, or down with `problems` that say why
   * @throws InvalidOptionsError if a limit is invalid
   */
  async isHealthy<const Key extends string>(
    key: Key,
    limits: RedisStreamsHealthLimits = {},
  ): Promise<HealthIndicatorResult<Key>> {
    checkOptions(healthLimitsSchema, limits, 'limits');
    const indicator = this.service.check(key);
    const problems = await this.problems(limits);
    return problems.length === 0 ? indicator.up() : indicator.down({ problems });
  }

  /** From now on it is down, so that load balancers stop sending requests before the app stops. */
  onModuleDestroy(): void {
    this.closing = true;
  }

  private async problems({ name, ...limits }: RedisStreamsHealthLimits): Promise<string[]> {
    if (this.closing) return [CLOSING];
    const all = instancesIn(this.modules);
    if (all.length === 0) throw new Error(NO_MODULE);
    const checked = name === undefined ? all : all.filter((instance) => instance.name === name);
    if (checked.length === 0) {
      const known = all.flatMap((instance) => instance.name ?? []).join(', ');
      throw new InvalidOptionsError(
        'limits.name',
        JSON.stringify(name),
        `nothing, or a name that RedisStreamsModule has in this app: ${known}`,
      );
    }
    return (
      await Promise.all(checked.map((instance) => problemsOf(instance, this.modules, limits)))
    ).flat();
  }
}

async function problemsOf(
  { name, get }: StreamsInstance,
  modules: ModulesContainer,
  limits: RedisStreamsHealthLimits,
): Promise<string[]> {
  const [server, monitor] = [get(ServerRedisStreams), get(StreamsMonitor)];
  if (server === undefined || monitor === undefined) throw new Error(NO_MODULE);
  const problems = await ownProblems(server, monitor, modules, limits);
  return name === undefined
    ? problems
    : problems.map((problem) => `instance "${name}": ${problem}`);
}

async function ownProblems(
  server: ServerRedisStreams,
  monitor: StreamsMonitor,
  modules: ModulesContainer,
  limits: RedisStreamsHealthLimits,
): Promise<string[]> {
  if (server.consumer?.isDraining === true) return [CLOSING];
  const unserved = whyUnserved(modules, server);
  const ofReader = unserved === undefined ? readerProblems(server, limits) : [unserved];
  try {
    const { timeoutMs = TIMEOUT_MS } = limits;
    const inspected = await monitor.inspect({ timeoutMs });
    return [
      ...ofReader,
      ...inspected.process.setAside.map(
        ({ stream, reason }) =>
          `stream "${stream}" is set aside, since Redis refuses it: ${reason}`,
      ),
      ...serverProblems(inspected.server),
      ...inspected.streams.flatMap((stream) => streamProblems(stream, limits)),
    ];
  } catch (error) {
    return [...ofReader, errorText(error)];
  }
}

/** The problems of the reader, unless nothing is subscribed to. */
function readerProblems(server: ServerRedisStreams, limits: RedisStreamsHealthLimits): string[] {
  const { consumer, isListening, options } = server;
  if (server.subscriptions().length === 0) return [];
  if (!isListening || consumer === undefined) return ['the server does not listen'];
  const { maxReaderQuietMs = options.blockMs + READER_SLACK_MS } = limits;
  const { readerQuietMs } = consumer;
  if (readerQuietMs <= maxReaderQuietMs) return [];
  return [
    `the last read ended ${Math.round(readerQuietMs)} ms ago, and ${maxReaderQuietMs} are allowed`,
  ];
}

/** The problems of a stream and its group, by the limits that are set. What is unknown is no problem. */
function streamProblems(
  inspection: StreamInspection,
  {
    maxPendingAgeMs = Infinity,
    maxLag = Infinity,
    maxDeadLetters = Infinity,
    minRetentionHeadroom = 0,
  }: RedisStreamsHealthLimits,
): string[] {
  const { stream, group, groupExists, lag = 0, deadLetters } = inspection;
  const { oldestPendingAgeMs = 0, retentionHeadroom = 1 } = inspection;
  if (!groupExists) return [`stream "${shown(stream)}" has no group "${group}"`];
  const problems: string[] = [];
  if (oldestPendingAgeMs > maxPendingAgeMs) {
    problems.push(
      `the oldest pending entry of stream "${shown(stream)}" is ${oldestPendingAgeMs} ms old, and ${maxPendingAgeMs} are allowed`,
    );
  }
  if (lag > maxLag) {
    problems.push(`stream "${shown(stream)}" has ${lag} unread entries, and ${maxLag} are allowed`);
  }
  if (deadLetters.count > maxDeadLetters) {
    problems.push(
      `stream "${shown(stream)}" has ${deadLetters.count} dead letters, and ${maxDeadLetters} are allowed`,
    );
  }
  if (retentionHeadroom < minRetentionHeadroom) {
    problems.push(
      `unfinished entries of stream "${shown(stream)}" are about to be removed: headroom ${retentionHeadroom.toFixed(2)}, and at least ${minRetentionHeadroom} is required`,
    );
  }
  return problems;
}
