import { randomBytes } from 'node:crypto';
import {
  type INestApplication,
  type INestMicroservice,
  Module,
  type ModuleMetadata,
  type Type,
} from '@nestjs/common';
import { ModuleRef, ModulesContainer, NestFactory } from '@nestjs/core';
import { isDeepStrictEqual } from 'node:util';
import { DeadLetters } from '../../dead-letters/dead-letters.js';
import { ClientRedisStreams } from '../../nest/client-redis-streams.js';
import { instancesWithHandlers } from '../../nest/handler-transports.js';
import { instancesIn } from '../../nest/instances.js';
import { RedisStreamsPull } from '../../nest/pull/redis-streams-pull.js';
import type { RedisStreamsModuleOptions } from '../../options/server-options.js';
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
  /** The first is that of which tests mean if they say no name: the one without a name, if there is one. */
  readonly instances: readonly [TestedInstance, ...TestedInstance[]];
  readonly listen: () => Promise<unknown>;
}

/** An instance of `RedisStreamsModule` in the app. */
export interface TestedInstance {
  readonly name: string | undefined;
  readonly keyPrefix: string;
  readonly server: ServerRedisStreams;
  readonly client: ClientRedisStreams;
  readonly pull: RedisStreamsPull;
  readonly deadLetters: DeadLetters;
}

/** Creates the app with this Redis and new prefixes, instead of those in its own options. */
export async function createApp(
  tested: TestedApp,
  connection: ConnectionOption,
  { options: given = {}, logger = ['warn', 'error', 'fatal'] }: RedisStreamsTestingOptions,
): Promise<CreatedApp> {
  const prefixes = new OwnPrefixes();
  const created = await withOverride(
    (options) => {
      const keyPrefix = prefixes.insteadOf(options);
      return { ...options, ...given, connection, keyPrefix, consumer: randomName() };
    },
    () => create(tested, logger),
  );
  try {
    const [first, ...more] = instancesOf(created.app);
    if (first === undefined) throw new StreamsTestingError(text.NO_MODULE);
    const instances = [first, ...more] as const;
    // Otherwise it would read, and remove, keys of other apps.
    if (!instances.every(({ keyPrefix }) => prefixes.has(keyPrefix))) {
      throw new StreamsTestingError(text.NOT_TAKEN);
    }
    return { ...created, instances };
  } catch (error) {
    await created.app.close();
    throw error;
  }
}

const randomName = (): string => `test-${randomBytes(8).toString('hex')}`;

/** New prefixes: the same for instances that share streams in the app's own Redis. */
class OwnPrefixes {
  private readonly taken: { readonly place: unknown; readonly keyPrefix: string }[] = [];

  insteadOf({ connection, keyPrefix = '' }: RedisStreamsModuleOptions): string {
    const place = [connection, keyPrefix];
    const same = this.taken.find((taken) => isDeepStrictEqual(taken.place, place));
    if (same !== undefined) return same.keyPrefix;
    const own = `${randomName()}:`;
    this.taken.push({ place, keyPrefix: own });
    return own;
  }

  has(keyPrefix: string): boolean {
    return this.taken.some((taken) => taken.keyPrefix === keyPrefix);
  }
}

/** The instances of an app, the one without a name first. */
function instancesOf(app: Pick<ModuleRef, 'get'>): TestedInstance[] {
  const found = instancesIn(app.get(ModulesContainer, { strict: false })).flatMap(
    ({ name, get }) => {
      const [server, client] = [get(ServerRedisStreams), get(ClientRedisStreams)];
      const [pull, deadLetters] = [get(RedisStreamsPull), get(DeadLetters)];
      if (!server || !client || !pull || !deadLetters) return [];
      return [{ name, keyPrefix: server.options.keyPrefix, server, client, pull, deadLetters }];
    },
  );
  return found.sort(
    (one, other) => Number(one.name !== undefined) - Number(other.name !== undefined),
  );
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

/** Listens in an app with HTTP, which may have connected the strategies itself. */
async function listenWithHttp(app: INestApplication): Promise<void> {
  const connected = new Set<unknown>(
    app.getMicroservices().map((microservice) => Reflect.get(microservice, 'serverInstance')),
  );
  const instances = instancesOf(app);
  if (!instances.some(({ server }) => connected.has(server))) {
    const read = instancesWithHandlers(app.get(ModulesContainer));
    // One that only publishes would get the handlers that have no transport.
    const reading = instances.filter(({ name }, index) => index === 0 || read.has(name));
    for (const { server } of reading) {
      app.connectMicroservice({ strategy: server }, { inheritAppConfig: true });
    }
  }
  if (!instances.some(({ server }) => server.isListening)) await app.startAllMicroservices();
  await app.init();
}

/** The server of an app that has one, as a microservice without HTTP has. */
function serverOf(app: Pick<ModuleRef, 'get'>): ServerRedisStreams {
  const [first, ...more] = instancesOf(app);
  if (first === undefined) throw new StreamsTestingError(text.NO_MODULE);
  if (more.length > 0) throw new StreamsTestingError(text.SEVERAL_INSTANCES);
  return first.server;
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
