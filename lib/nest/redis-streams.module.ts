import {
  type BeforeApplicationShutdown,
  ConfigurableModuleBuilder,
  Inject,
  Module,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { HttpAdapterHost, ModulesContainer } from '@nestjs/core';
import { AsyncLocalStorage } from 'node:async_hooks';
import { shareClasses } from '../errors/copies.js';
import { InvalidOptionsError } from '../errors/redis-streams.error.js';
import { cutText, propertyOf, textOf } from '../errors/thrown.js';
import { resolveModuleOptions } from '../options/resolve-options.js';
import type { RedisStreamsModuleOptions } from '../options/server-options.js';
import { ClosingFirst, ClosingFirstModule } from './closing-first.module.js';
import { requireOneOfEachName } from './imported-twice.js';
import { InstanceLife } from './instance-life.js';
import { requireInstanceName } from './instance-name.js';
import { instanceProviders, RESOLVED_OPTIONS } from './instance-providers.js';
import { INSTANCE } from './instances.js';
import * as text from './nest.messages.js';

/** What `forRoot()` takes beside the options of the instance, and `forRootAsync()` beside `useFactory`. */
interface InstanceExtras {
  /**
   * Makes the providers available in all modules of the app without an import.
   *
   * @default false
   */
  isGlobal?: boolean;
  /**
   * The name of this instance, in an app with several: two groups, or two Redis servers. 1 to 64 letters, digits, `_`, `.` and
   * `-`. Its providers are injected with `@InjectStreams(name)`, and its handlers have `streamsTransport(name)`.
   *
   * @default none: one instance of an app has no name, and its providers are injected by their classes
   */
  name?: string | undefined;
}

type Override = (
  options: RedisStreamsModuleOptions,
  name: string | undefined,
) => RedisStreamsModuleOptions;

const overrides = new AsyncLocalStorage<Override>();

/**
 * For tests: an app that is made inside `make` gets overridden module options, such as another Redis and a prefix, however it
 * provides its own. Apps that are made at the same time do not affect each other.
 */
export const withOverride = <Made>(override: Override, make: () => Promise<Made>): Promise<Made> =>
  overrides.run(override, make);

const GIVEN_OPTIONS = 'REDIS_STREAMS_MODULE_OPTIONS';

const { ConfigurableModuleClass } = new ConfigurableModuleBuilder<RedisStreamsModuleOptions>({
  optionsInjectionToken: GIVEN_OPTIONS,
})
  .setClassMethodName('forRoot')
  .setExtras<InstanceExtras>({ isGlobal: false, name: undefined }, (definition, extras) => {
    const { isGlobal = false, name } = extras;
    if (name !== undefined) requireInstanceName(name, 'RedisStreamsModule');
    const { providers, exports } = instanceProviders(name);
    const options = {
      provide: RESOLVED_OPTIONS,
      inject: [GIVEN_OPTIONS],
      useFactory: (given: RedisStreamsModuleOptions) => resolved(given, name),
    };
    return {
      ...definition,
      global: isGlobal,
      providers: [
        ...(definition.providers ?? []),
        { provide: INSTANCE, useValue: { name } },
        options,
        ...providers,
      ],
      exports,
    };
  })
  .build();

function resolved(given: RedisStreamsModuleOptions, name: string | undefined) {
  const inFactory = propertyOf(given, 'name');
  if (inFactory !== undefined) {
    throw new InvalidOptionsError('name', cutText(textOf(inFactory), 100), text.NAME_IN_FACTORY);
  }
  return resolveModuleOptions(overrides.getStore()?.(given, name) ?? given, name);
}

const kindOf = (value: unknown): string =>
  value === undefined || value === null ? 'nothing' : `a value of type ${typeof value}`;

/**
 * Provides `ServerRedisStreams`, `ClientRedisStreams`, `RedisStreamsPull`, `DeadLetters`, `StreamsMonitor` and the jobs, which are scheduled with the
 * app. Call `forRoot()` once in an app; further instances, for other groups or Redis servers, have a `name`.
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
      provide: InstanceLife,
      useFactory: () => {
        throw new Error(text.BARE_MODULE);
      },
    },
  ],
})
export class RedisStreamsModule
  extends ConfigurableModuleClass
  implements OnApplicationBootstrap, BeforeApplicationShutdown
{
  /** @throws InvalidOptionsError if there are no options. What is wrong inside them is one when the app starts */
  static override forRoot(options: Parameters<typeof ConfigurableModuleClass.forRoot>[0]) {
    if (typeof options !== 'object' || options === null) {
      throw new InvalidOptionsError('forRoot()', kindOf(options), text.MODULE_OPTIONS);
    }
    return super.forRoot(options);
  }

  /** @throws InvalidOptionsError if nothing says where the options come from */
  static override forRootAsync(
    options: Parameters<typeof ConfigurableModuleClass.forRootAsync>[0],
  ) {
    const { useFactory, useClass, useExisting } = Object(options);
    if (useFactory === undefined && useClass === undefined && useExisting === undefined) {
      throw new InvalidOptionsError('forRootAsync()', kindOf(options), text.ASYNC_OPTIONS);
    }
    return super.forRootAsync(options);
  }

  private noteSignal: (signal: string | undefined) => void = () => undefined;

  constructor(
    @Inject(InstanceLife) private readonly life: InstanceLife,
    @Inject(ClosingFirst) closing: ClosingFirst,
    @Inject(ModulesContainer) private readonly modules: ModulesContainer,
    @Inject(HttpAdapterHost) private readonly http: HttpAdapterHost,
  ) {
    super();
    requireOneOfEachName(modules);
    life.start(modules);
    // Nest closes servers after modules. Running handlers have to end before that, while their providers still exist.
    const closes = new Promise<string | undefined>((resolve) => (this.noteSignal = resolve));
    closing.add(() => life.end(closes));
  }

  onApplicationBootstrap(): void {
    this.life.jobs.start();
    this.life.watchHandlers(this.modules, this.http);
  }

  beforeApplicationShutdown(signal?: string): void {
    this.noteSignal(signal);
  }
}

shareClasses({ RedisStreamsModule });
