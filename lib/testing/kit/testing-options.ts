import type {
  DynamicModule,
  INestApplication,
  INestApplicationContext,
  INestMicroservice,
  LoggerService,
  LogLevel,
  ModuleMetadata,
  Type,
} from '@nestjs/common';
import { z } from 'zod';
import type { ConnectionOption } from '../../options/connection-option.js';
import type { RedisStreamsModuleOptions } from '../../options/server-options.js';
import { object, timerMs } from '../../options/option-kinds.js';

/** The part of `Test.createTestingModule(…)` that `RedisStreamsTesting` uses. What was overridden there stays overridden. */
export interface TestedBuilder {
  compile(): Promise<{
    get: INestApplicationContext['get'];
    createNestMicroservice(options: object): INestMicroservice;
  }>;
}

/** Creates an app that has more than handlers: HTTP routes, an adapter, its own setup. */
export interface TestedFactory {
  /** Creates the app, and does not listen: `() => NestFactory.create(AppModule)`. */
  readonly app: () => INestApplication | Promise<INestApplication>;
}

/** What is tested: a module that imports `RedisStreamsModule`, directly or not, or how to create the app. */
export type TestedApp = Type | DynamicModule | ModuleMetadata | TestedBuilder | TestedFactory;

/** How `RedisStreamsTesting` starts the app, and how long it waits. */
export interface RedisStreamsTestingOptions {
  /**
   * The Redis that the app uses instead of its own. Tests start faster if they share one that was started once.
   *
   * @default the result of `startRedis()`: the server of `REDIS_URL`, otherwise a new one that ends with `close()`
   */
  readonly connection?: ConnectionOption | undefined;

  /**
   * Options that replace the app's own, usually shorter times: `{ retry: { backoff: { type: 'fixed', delayMs: 10 } } }`.
   * Each replaces the whole option of that name.
   *
   * @default {}
   */
  readonly options?:
    Partial<Omit<RedisStreamsModuleOptions, 'connection' | 'keyPrefix' | 'consumer'>> | undefined;

  /**
   * How long each wait lasts at most, in ms, 1 or more. Keep it below the timeout of your test runner: this error says what
   * happened to the message, and the runner's does not.
   *
   * @default 4_000
   */
  readonly timeoutMs?: number | undefined;

  /**
   * What the app logs. An app of `{ app }` or of a builder configures its own logger.
   *
   * @default ['warn', 'error', 'fatal']
   */
  readonly logger?: LoggerService | LogLevel[] | false | undefined;
}

/** How long one wait lasts. */
export interface WaitOptions {
  /**
   * In ms, 1 or more.
   *
   * @default the `timeoutMs` of `create()`
   */
  readonly timeoutMs?: number | undefined;
}

/** Which retry to wait for. */
export interface RetriedOptions extends WaitOptions {
  /** The attempt that failed, from 1; by default any. */
  readonly attempt?: number | undefined;
}

/** What `drained()` waits for. */
export interface DrainedOptions extends WaitOptions {
  /**
   * Whether it also waits for messages that wait for their next attempt, or leaves them.
   *
   * @default 'wait'
   */
  readonly retries?: 'wait' | 'leave' | undefined;
}

const oneOf = (names: readonly [string, ...string[]]) =>
  z.enum(names, { error: `'${names.join("' or '")}'` }).optional();
const attempt = z.number({ error: 'a number, 1 or more' }).int().min(1).optional();
const waitError = 'an object with timeoutMs';

/** The options of the kit. Those of the app are checked by the module and by Nest. */
export const schemas = {
  create: object(
    {
      connection: z.unknown().optional(),
      options: z.record(z.string(), z.unknown(), { error: 'options of the module' }).optional(),
      timeoutMs: timerMs(1),
      logger: z.unknown().optional(),
    },
    'an object with the options of RedisStreamsTesting.create()',
  ),
  outcome: object({ timeoutMs: timerMs(1), attempt }, waitError),
  drained: object({ timeoutMs: timerMs(1), retries: oneOf(['wait', 'leave']) }, waitError),
};
