import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import { StreamsMonitor } from '../../monitor/streams-monitor.js';
import { checkOptions } from '../../options/check-options.js';
import { errorText } from '../../redis/server/redis-errors.js';
import { ServerRedisStreams } from '../../nest/server-redis-streams.js';
import * as text from './health.messages.js';
import type { RedisStreamsHealthLimits } from './health-limits.js';
import { healthLimitsSchema } from './health-limits.schema.js';
import { serverProblems, streamProblems } from './health-problems.js';

/** Beside `blockMs`: what a read may take on its way. */
const READER_SLACK_MS = 5_000;
const TIMEOUT_MS = 2_000;

/**
 * Says whether this app's server can do its work: it is down where Redis does not answer, evicts or is a replica, where the
 * reader hangs, a group is missing or a limit is passed; and from the moment on in which the app begins to close.
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
    @Inject(ModuleRef) private readonly moduleRef: ModuleRef,
    @Inject(HealthIndicatorService) private readonly service: HealthIndicatorService,
  ) {}

  /**
   * @param key under what it is in the result
   * @throws InvalidOptionsError where a limit is none; what is unhealthy is a result, with `problems` that say what
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

  /** Who sends requests here is to stop before the app does: also where there is no server to say so. */
  onModuleDestroy(): void {
    this.closing = true;
  }

  private async problems(limits: RedisStreamsHealthLimits): Promise<string[]> {
    if (this.closing) return [text.CLOSING];
    const server = this.find(ServerRedisStreams);
    const ofServer = readerProblems(server, limits);
    // Where it closes there is nothing more to ask, and soon nobody to ask it.
    if (ofServer.includes(text.CLOSING)) return ofServer;
    try {
      const { timeoutMs = TIMEOUT_MS } = limits;
      const inspected = await this.find(StreamsMonitor).inspect({ timeoutMs });
      return [
        ...ofServer,
        ...serverProblems(inspected.server),
        ...inspected.streams.flatMap((its) => streamProblems(its, limits)),
      ];
    } catch (error) {
      return [...ofServer, errorText(error)];
    }
  }

  // Not injected: the module that has them need not be global.
  private find<Found>(token: abstract new (...args: never[]) => Found): Found {
    try {
      return this.moduleRef.get<Found>(token as never, { strict: false });
    } catch (cause) {
      throw new Error(text.NO_MODULE, { cause });
    }
  }
}

/** What is wrong with reading; nothing where nothing is subscribed to. */
function readerProblems(server: ServerRedisStreams, limits: RedisStreamsHealthLimits): string[] {
  const { consumer, isListening, options } = server;
  if (consumer?.isDraining === true) return [text.CLOSING];
  if (server.subscriptions().length === 0) return [];
  if (!isListening || consumer === undefined) return [text.NOT_READING];
  const { maxReaderQuietMs = options.blockMs + READER_SLACK_MS } = limits;
  const { readerQuietMs } = consumer;
  if (readerQuietMs <= maxReaderQuietMs) return [];
  return [text.readerQuiet(readerQuietMs, maxReaderQuietMs)];
}
