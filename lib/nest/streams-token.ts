import { Inject } from '@nestjs/common';
import { DeadLetters } from '../dead-letters/dead-letters.js';
import { shareClasses, sharedName, sharedSymbol } from '../errors/copies.js';
import { InvalidOptionsError } from '../errors/redis-streams.error.js';
import { cutText, textOf } from '../errors/thrown.js';
import { IdleConsumersJob } from '../jobs/idle-consumers.job.js';
import { LedgerMaintenanceJob } from '../jobs/ledger-maintenance.job.js';
import { RetentionJob } from '../jobs/retention.job.js';
import { StreamsMonitor } from '../monitor/streams-monitor.js';
import { ClientRedisStreams } from './client-redis-streams.js';
import { requireInstanceName } from './instance-name.js';
import { RedisStreamsPull } from './pull/redis-streams-pull.js';
import { ServerRedisStreams } from './server-redis-streams.js';

/** What each instance of `RedisStreamsModule` provides. */
export const PROVIDED = {
  ClientRedisStreams,
  ServerRedisStreams,
  RedisStreamsPull,
  DeadLetters,
  StreamsMonitor,
  LedgerMaintenanceJob,
  RetentionJob,
  IdleConsumersJob,
};

shareClasses(PROVIDED);

export type StreamsProvider = InstanceType<(typeof PROVIDED)[keyof typeof PROVIDED]>;

/** The class of a provider of `RedisStreamsModule`. */
export type StreamsProviderClass = abstract new (...args: never[]) => StreamsProvider;

/**
 * The token of a provider of an instance, as `RedisStreamsModule.forRoot({ name: 'audit', … })` creates it: of its client, or of
 * another class. Without a name, of the instance that has none, whose providers can also be injected by their class.
 *
 * @throws InvalidOptionsError if the module provides no such class, or the name is invalid
 * @example
 * ```ts
 * app.connectMicroservice({ strategy: app.get(getStreamsToken(ServerRedisStreams, 'audit')) });
 * ```
 */
export function getStreamsToken(name?: string): symbol;
export function getStreamsToken(provider: StreamsProviderClass, name?: string): symbol;
export function getStreamsToken(first?: StreamsProviderClass | string, second?: string): symbol {
  const isOfClient = typeof first === 'string' || first === undefined;
  const name = typeof first === 'string' ? first : second;
  const provided = isOfClient ? 'ClientRedisStreams' : sharedName(first);
  if (provided === undefined || !Object.hasOwn(PROVIDED, provided)) {
    throw new InvalidOptionsError(
      'getStreamsToken()',
      cutText(typeof first === 'function' ? first.name : textOf(first), 100),
      `the name of an instance, or one of the classes ${Object.keys(PROVIDED).join(', ')} and a name`,
    );
  }
  if (name === undefined) return sharedSymbol(`${provided} without a name`);
  requireInstanceName(name, 'getStreamsToken()');
  return sharedSymbol(`${provided} of "${name}"`);
}

/**
 * Injects the client of an instance, or another of its providers: like `@Inject()` with {@link getStreamsToken}.
 *
 * @example
 * ```ts
 * constructor(
 *   @InjectStreams('audit') private readonly client: ClientRedisStreams,
 *   @InjectStreams(DeadLetters, 'audit') private readonly deadLetters: DeadLetters,
 * ) {}
 * ```
 */
export function InjectStreams(name?: string): PropertyDecorator & ParameterDecorator;
export function InjectStreams(
  provider: StreamsProviderClass,
  name?: string,
): PropertyDecorator & ParameterDecorator;
export function InjectStreams(
  first?: StreamsProviderClass | string,
  second?: string,
): PropertyDecorator & ParameterDecorator {
  return Inject(
    typeof first === 'function' ? getStreamsToken(first, second) : getStreamsToken(first),
  );
}
