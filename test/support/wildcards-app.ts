import type { Type } from '@nestjs/common';

import type { RedisStreamsModuleOptions } from '../../lib/index.js';
import type { RedisForTests } from './redis-for-tests.js';
import { type StreamsApp, streamsApp } from './streams-app.js';

/** How often the apps of these tests look for streams. */
export const INTERVAL_MS = 200;

/** Starts apps that look for streams behind a prefix, so that they find no streams of other tests. */
export const wildcardsAppOf =
  (redis: RedisForTests, group: string) =>
  (
    keyPrefix: string,
    controllers: Type[],
    options: Partial<RedisStreamsModuleOptions> = {},
  ): Promise<StreamsApp> =>
    streamsApp(
      { connection: redis.url, group, keyPrefix, discoveryIntervalMs: INTERVAL_MS, ...options },
      { controllers },
    );
