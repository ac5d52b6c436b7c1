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
import { ServerRedisStreams } from '../../nest/server-redis-streams.js';
import type { ConnectionOption } from '../../options/connection-option.js';
import { StreamsTestingError } from './message-history.js';
import * as text from './testing-kit.messages.js';
import type {
  RedisStreamsTestingOptions,
  TestedApp,
  TestedBuilder,
  TestedFactory,
} from './testing-options.js';

/** An app that was created and does not listen yet. */
export interface CreatedApp {
  readonly app: INestApplication | INestMicroservice;
  readonly server: ServerRedisStreams;
  readonly keyPrefix: string;
  readonly listen: () => Promise<unknown>;
}

/** Creates the app with this Redis and a new prefix, instead of those in its own options. */
export async function createApp(
  tested: TestedApp,
  connection: ConnectionOption,
  { options: given = {}, logger = ['warn', 'error', 'fatal'] }: RedisStreamsTestingOptions,
): Promise<CreatedApp> {
  const consumer = `test-${randomBytes(8).toString('hex')}`;
  const keyPrefix = `${consumer}:`;
  const created = await withOverride(
    (options) => ({ ...options, ...given, connection, keyPrefix, consumer }),
    () => create(tested, logger),
  );
  try {
    const server = serverOf(created.app);
    // Otherwise it would read, and remove, keys of other apps.
    if (server.options.keyPrefix !== keyPrefix) throw new StreamsTestingError(text.NOT_TAKEN);
    return { ...created, server, keyPrefix };
  } catch (error) {
    await created.app.close();
    throw error;
  }
}

async function create(
  tested: TestedApp,
  logger: RedisStreamsTestingOptions['logger'],
): Promise<Pick<CreatedApp, 'app' | 'listen'>> {
  if (isFactory(tested)) {
    const app = await tested.app();
    return { app, listen: () => listenWithHttp(app) };
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
    // Nest 11 looks here, after it has called the factory.
    get strategy() {
      return strategy;
    },
    abortOnError: false,
    ...(logger === undefined ? {} : { logger }),
  });
  return { app, listen: () => app.listen() };
}

/** Listens in an app with HTTP, which may have connected the strategy itself. */
async function listenWithHttp(app: INestApplication): Promise<void> {
  const strategy = serverOf(app);
  const isConnected = app
    .getMicroservices()
    .some((microservice) => Reflect.get(microservice, 'serverInstance') === strategy);
  if (!isConnected) app.connectMicroservice({ strategy }, { inheritAppConfig: true });
  if (!strategy.isListening) await app.startAllMicroservices();
  await app.init();
}

function serverOf(app: Pick<ModuleRef, 'get'>): ServerRedisStreams {
  try {
    return app.get(ServerRedisStreams, { strict: false });
  } catch (cause) {
    throw new StreamsTestingError(text.NO_MODULE, undefined, { cause });
  }
}

const isFactory = (tested: TestedApp): tested is TestedFactory => 'app' in tested;
const isBuilder = (tested: TestedApp): tested is TestedBuilder =>
  'compile' in tested && typeof tested.compile === 'function';

/** A module with this metadata. */
function asModule(metadata: ModuleMetadata): Type {
  @Module(metadata)
  class TestedModule {}
  return TestedModule;
}
