import { ConfigurableModuleBuilder } from '@nestjs/common';
import type { RedisStreamsModuleOptions } from '../options/server-options.js';

/** What Nest's builder makes of the options: `forRoot`, `forRootAsync`, and `isGlobal` beside them. */
export const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } =
  new ConfigurableModuleBuilder<RedisStreamsModuleOptions>({ moduleName: 'RedisStreams' })
    .setClassMethodName('forRoot')
    .setExtras({ isGlobal: false }, (definition, { isGlobal }) => ({
      ...definition,
      global: isGlobal,
    }))
    .build();
