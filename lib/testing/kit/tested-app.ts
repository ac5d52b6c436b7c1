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
import type { ConnectionOption } from '../../options/connection-option.js';
import type { RedisStreamsModuleOptions } from '../../options/server-options.js';

/** What `RedisStreamsTesting` needs of `Test.createTestingModule(…)`, with whatever was overridden there. */
export interface TestedBuilder {
  compile(): Promise<{
    get: INestApplicationContext['get'];
    createNestMicroservice(options: object): INestMicroservice;
  }>;
}

/** How an app is made that has more than handlers: HTTP routes, an adapter, its own setup. */
export interface TestedFactory {
  /** Makes the app, and does not listen: `() => NestFactory.create(AppModule)`. */
  readonly app: () => INestApplication | Promise<INestApplication>;
}

/** What is tested: a module that has `RedisStreamsModule` somewhere, or how to make the app. */
export type TestedApp = Type | DynamicModule | ModuleMetadata | TestedBuilder | TestedFactory;

/** How `RedisStreamsTesting` starts the app, and how long it waits. */
export interface RedisStreamsTestingOptions {
  /**
   * Which Redis the app uses in place of its own. Give one that was started once to many tests, so that each starts faster.
   *
   * @default what `startRedis()` gives: the server of `REDIS_URL`, else one of its own that ends with `close()`
   */
  readonly connection?: ConnectionOption | undefined;

  /**
   * Options in place of the app's own, most often shorter times: `{ retry: { backoff: { type: 'fixed', delayMs: 10 } } }`.
   * Each takes the place of the whole option of that name.
   *
   * @default {}
   */
  readonly options?:
    Partial<Omit<RedisStreamsModuleOptions, 'connection' | 'keyPrefix' | 'consumer'>> | undefined;

  /**
   * How long each wait lasts at most, in ms, 1 or more. Keep it below the time that your test runner gives a test: what this
   * kit says of the message is worth more than what the runner says.
   *
   * @default 4_000
   */
  readonly timeoutMs?: number | undefined;

  /**
   * What the app logs; an app of `{ app }` or of a builder says so itself.
   *
   * @default ['warn', 'error', 'fatal']
   */
  readonly logger?: LoggerService | LogLevel[] | false | undefined;
}
