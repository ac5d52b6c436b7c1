import { afterEach } from '@jest/globals';
import { type INestApplication, Logger, type ModuleMetadata } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';

import {
  getStreamsToken,
  RedisStreamsModule,
  type RedisStreamsModuleOptions,
  ServerRedisStreams,
} from '../../lib/index.js';
import { recordedLog } from './recorded-log.js';
import { moduleOf } from './streams-app.js';

export interface InstancesAppParts extends ModuleMetadata {
  /** The instances whose servers are connected. @default all */
  readonly connect?: readonly (string | undefined)[];
}

const opened = new Set<INestApplication>();

/** Closes every app of the file after each test. */
export function closeInstancesAfterEach(): void {
  afterEach(async () => {
    const apps = [...opened];
    opened.clear();
    await Promise.all(apps.map((app) => app.close()));
  });
}

/** Starts an app with several instances of the module. Its log goes to {@link recordedLog}. */
export async function instancesApp(
  instances: readonly (RedisStreamsModuleOptions & { name?: string })[],
  { connect = instances.map(({ name }) => name), ...metadata }: InstancesAppParts,
): Promise<INestApplication> {
  const imports = instances.map((options) => RedisStreamsModule.forRoot(options));
  const app = await NestFactory.create(moduleOf(imports, metadata), {
    logger: recordedLog,
    abortOnError: false,
  });
  opened.add(app);
  Logger.overrideLogger(recordedLog);
  for (const name of connect) {
    const strategy = app.get<ServerRedisStreams>(getStreamsToken(ServerRedisStreams, name));
    app.connectMicroservice({ strategy }, { inheritAppConfig: true });
  }
  await app.startAllMicroservices();
  await app.init();
  return app;
}
