import { afterEach, describe, expect, it } from '@jest/globals';
import { type INestApplicationContext, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';

import { RedisStreamsModule, ServerRedisStreams } from '../../lib/index.js';
import { recordedLog } from '../support/recorded-log.js';

const NEST = { logger: recordedLog, abortOnError: false };
const opened: INestApplicationContext[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((app) => app.close()));
});

/** Creates an app whose root module and feature module import these. */
async function created([root, feature]: NonNullable<
  Parameters<typeof Module>[0]['imports']
>[]): Promise<INestApplicationContext> {
  @Module({ imports: feature ?? [] })
  class BillingModule {}
  @Module({ imports: [...(root ?? []), BillingModule] })
  class AppModule {}
  const app = await NestFactory.createApplicationContext(AppModule, NEST);
  opened.push(app);
  return app;
}

const forRoot = (group: string, isGlobal = false) =>
  RedisStreamsModule.forRoot({ group, isGlobal });

describe('RedisStreamsModule, imported twice without a name,', () => {
  const text =
    'Option "name": given none, by RedisStreamsModule in AppModule and in BillingModule, allowed: one import without a name ' +
    'in an app. If both are meant to be one, call forRoot() once, in the root module with isGlobal: true. If there are two, for ' +
    "two groups or two Redis servers, name one of them: RedisStreamsModule.forRoot({ name: 'audit', … })";

  it.each([true, false])(
    'stops the app, and the error says what to write (isGlobal: %p)',
    async (isGlobal) => {
      await expect(created([[forRoot('shop', isGlobal)], [forRoot('billing')]])).rejects.toThrow(
        text,
      );
    },
  );

  it('stops the app with forRootAsync too', async () => {
    const later = RedisStreamsModule.forRootAsync({ useFactory: () => ({ group: 'billing' }) });
    await expect(created([[forRoot('shop')], [later]])).rejects.toThrow(text);
  });

  it('is fine if both imports are the same one', async () => {
    const streams = forRoot('billing');
    const app = await created([[streams], [streams]]);
    expect(app.get(ServerRedisStreams).options.group).toBe('billing');
  });
});

describe('RedisStreamsModule without options', () => {
  it('stops the app, and the error says what to import instead', async () => {
    await expect(created([[RedisStreamsModule]])).rejects.toThrow(
      'RedisStreamsModule is imported without options. Import RedisStreamsModule.forRoot({ group, … }) once, in the root module ' +
        'with isGlobal: true: other modules then need not import it',
    );
  });
});
