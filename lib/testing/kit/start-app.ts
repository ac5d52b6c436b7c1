import { randomBytes } from 'node:crypto';
import {
  type INestApplication,
  type INestMicroservice,
  Module,
  type ModuleMetadata,
  type Type,
} from '@nestjs/common';
import { ModuleRef, NestFactory } from '@nestjs/core';
import { withOverride } from '../../nest/redis-streams.module.js';
import type { ConnectionOption } from '../../options/connection-option.js';
import { ServerRedisStreams } from '../../nest/server-redis-streams.js';
import { StreamsTestingError } from './streams-testing.error.js';
import type {
  RedisStreamsTestingOptions,
  TestedApp,
  TestedBuilder,
  TestedFactory,
} from './tested-app.js';
import * as text from './testing-kit.messages.js';

/** An app that is made, and does not listen yet. */
export interface MadeApp {
  readonly app: INestApplication | INestMicroservice;
  readonly server: ServerRedisStreams;
  readonly keyPrefix: string;
  readonly listen: () => Promise<unknown>;
}

/** Makes the app with a Redis and a prefix of ours, whatever its own options say. */
export async function makeApp(
  tested: TestedApp,
  connection: ConnectionOption,
  { options: given = {}, logger = ['warn', 'error', 'fatal'] }: RedisStreamsTestingOptions,
): Promise<MadeApp> {
  const consumer = `test-${randomBytes(8).toString('hex')}`;
  const keyPrefix = `${consumer}:`;
  const made = await withOverride(
    (options) => ({ ...options, ...given, connection, keyPrefix, consumer }),
    () => make(tested, logger),
  );
  try {
    const server = serverOf(made.app);
    // Else it would read, and remove, what is not ours.
    if (server.options.keyPrefix !== keyPrefix) throw new StreamsTestingError(text.NOT_TAKEN);
    return { ...made, server, keyPrefix };
  } catch (error) {
    await made.app.close();
    throw error;
  }
}

async function make(
  tested: TestedApp,
  logger: RedisStreamsTestingOptions['logger'],
): Promise<Pick<MadeApp, 'app' | 'listen'>> {
  if (isFactory(tested)) {
    const app = await tested.app();
    return { app, listen: () => listenBeside(app) };
  }
  if (isBuilder(tested)) {
    const module = await tested.compile();
    const strategy = serverOf(module);
    const app = module.createNestMicroservice({ strategy });
    return { app, listen: () => app.listen() };
  }
  const module = typeof tested === 'function' || 'module' in tested ? tested : asModule(tested);
  let strategy: ServerRedisStreams | undefined;
  const app = await NestFactory.createMicroservice(module, {
    inject: [ModuleRef],
    useFactory: (modules: ModuleRef) => {
      strategy = serverOf(modules);
      return { strategy };
    },
    // Where Nest 11 looks, after it has called the factory.
    get strategy() {
      return strategy;
    },
    abortOnError: false,
    ...(logger === undefined ? {} : { logger }),
  });
  return { app, listen: () => app.listen() };
}

/** In an app with HTTP, which may have connected our strategy itself. */
async function listenBeside(app: INestApplication): Promise<void> {
  const strategy = serverOf(app);
  const isConnected = app
    .getMicroservices()
    .some((its) => Reflect.get(its, 'serverInstance') === strategy);
  if (!isConnected) app.connectMicroservice({ strategy }, { inheritAppConfig: true });
  if (!strategy.isListening) await app.startAllMicroservices();
  await app.init();
}

/** What finds a provider: an app or a part of one. */
type Finding = Pick<ModuleRef, 'get'>;

function serverOf(app: Finding): ServerRedisStreams {
  try {
    return app.get(ServerRedisStreams, { strict: false });
  } catch (cause) {
    throw new StreamsTestingError(text.NO_MODULE, undefined, { cause });
  }
}

const isFactory = (tested: TestedApp): tested is TestedFactory => 'app' in tested;
const isBuilder = (tested: TestedApp): tested is TestedBuilder =>
  'compile' in tested && typeof tested.compile === 'function';

/** Metadata as a module of its own. */
function asModule(metadata: ModuleMetadata): Type {
  @Module(metadata)
  class TestedModule {}
  return TestedModule;
}
