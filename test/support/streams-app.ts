import { afterEach } from '@jest/globals';
import {
  Controller,
  type DynamicModule,
  type INestApplication,
  Logger,
  Module,
  type ModuleMetadata,
  type Type,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import { firstValueFrom } from 'rxjs';

import {
  ClientRedisStreams,
  RedisStreamsContext,
  RedisStreamsModule,
  type RedisStreamsModuleOptions,
  ServerRedisStreams,
  StreamsMonitor,
  subscription,
  type PublishReceipt,
  type StreamPattern,
  type SubscriptionOptions,
} from '../../lib/index.js';
import { recordedLog } from './recorded-log.js';

/** A Nest app that contains this package and listens. */
export interface StreamsApp {
  readonly app: INestApplication;
  readonly server: ServerRedisStreams;
  readonly client: ClientRedisStreams;
  readonly monitor: StreamsMonitor;
  emit(pattern: string | StreamPattern, data: unknown): Promise<PublishReceipt>;
  close(): Promise<void>;
}

export interface StreamsAppParts extends ModuleMetadata {
  /** @default true: the app's global enhancers apply to handlers too */
  readonly inheritAppConfig?: boolean;
  /** Called with the app before it listens. */
  readonly before?: (app: INestApplication) => void;
}

const opened = new Set<StreamsApp>();

/** Closes every app of the file after each test, whatever happened in it. */
export function closeAppsAfterEach(): void {
  afterEach(async () => {
    await Promise.all([...opened].map((app) => app.close()));
  });
}

/** Starts an app whose controllers receive messages. Its log goes to {@link recordedLog}. */
export async function streamsApp(
  options: RedisStreamsModuleOptions,
  parts: StreamsAppParts,
): Promise<StreamsApp> {
  const { inheritAppConfig = true, before, ...metadata } = parts;
  const app = await NestFactory.create(moduleOf([RedisStreamsModule.forRoot(options)], metadata), {
    logger: recordedLog,
    abortOnError: false,
  });
  Logger.overrideLogger(recordedLog);
  before?.(app);
  app.connectMicroservice({ strategy: app.get(ServerRedisStreams) }, { inheritAppConfig });
  const client = app.get(ClientRedisStreams);
  const streams: StreamsApp = {
    app,
    server: app.get(ServerRedisStreams),
    client,
    monitor: app.get(StreamsMonitor),
    emit: (pattern, data) => firstValueFrom(client.emit(pattern, data)),
    close: async () => {
      opened.delete(streams);
      await app.close();
    },
  };
  opened.add(streams);
  await app.startAllMicroservices();
  return streams;
}

/** A module with `imports` before those of `metadata`. */
export function moduleOf(imports: DynamicModule[], metadata: ModuleMetadata): Type {
  @Module({ ...metadata, imports: [...imports, ...(metadata.imports ?? [])] })
  class TestModule {}
  return TestModule;
}

/** A controller with one handler. */
export function handlerOf<Data = unknown>(
  pattern: string | StreamPattern,
  handle: (data: Data, context: RedisStreamsContext) => unknown,
  options?: SubscriptionOptions,
): Type {
  @Controller()
  class TestController {
    @EventPattern<string | StreamPattern>(pattern, subscription(options))
    on(@Payload() data: Data, @Ctx() context: RedisStreamsContext): unknown {
      return handle(data, context);
    }
  }
  return TestController;
}
