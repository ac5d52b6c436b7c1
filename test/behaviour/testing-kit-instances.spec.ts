import { afterEach, describe, expect, it } from '@jest/globals';
import { Controller, Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern } from '@nestjs/microservices';

import {
  DeadLetterException,
  REDIS_STREAMS,
  RedisStreamsModule,
  streamsTransport,
} from '../../lib/index.js';
import { RedisStreamsTesting } from '../../lib/testing/index.js';
import { freshName } from '../support/fresh-name.js';
import { recordedLog } from '../support/recorded-log.js';
import { redisForTests } from '../support/redis-for-tests.js';

const redis = redisForTests();
let streams: RedisStreamsTesting | undefined;
afterEach(() => streams?.close());

const NOWHERE = 'redis://127.0.0.1:1';

function appModule(stream: string, auditConnection: string): Type {
  @Controller()
  class Readers {
    @EventPattern<string>(stream, REDIS_STREAMS)
    onBilling(): void {}
    @EventPattern<string>(stream, streamsTransport('audit'))
    onAudit(): void {
      throw new DeadLetterException('no use');
    }
  }
  @Module({
    imports: [
      RedisStreamsModule.forRoot({ name: 'audit', connection: auditConnection, group: 'audit' }),
      RedisStreamsModule.forRoot({ connection: NOWHERE, group: 'billing' }),
    ],
    controllers: [Readers],
  })
  class AppModule {}
  return AppModule;
}

const tested = async (module: Type): Promise<RedisStreamsTesting> => {
  const app = () => NestFactory.create(module, { logger: recordedLog, abortOnError: false });
  streams = await RedisStreamsTesting.create({ app }, { connection: redis.url, timeoutMs: 60_000 });
  return streams;
};

describe('RedisStreamsTesting of an app with several instances', () => {
  it('has each by its name, and lets them share streams if they share a Redis', async () => {
    const stream = freshName('orders');
    const billing = await tested(appModule(stream, NOWHERE));
    const audit = billing.instance('audit');
    const receipt = await billing.emit(stream, {});
    expect(await billing.handled(receipt)).toMatchObject({ group: 'billing' });
    expect(await audit.deadLettered(receipt)).toMatchObject({ group: 'audit', reason: 'no use' });
    await audit.drained();
    expect(await audit.deadLetters.count({ stream })).toBe(1);
    expect(await billing.deadLetters.count({ stream })).toBe(0);
    const prefix = billing.keyPrefix;
    await audit.close();
    expect(await redis.client.keys(`*${prefix}*`)).toEqual([]);
  });

  it('gives them different keys if they have different servers', async () => {
    const stream = freshName('orders');
    const billing = await tested(appModule(stream, 'redis://127.0.0.1:2'));
    const audit = billing.instance('audit');
    expect(audit.keyPrefix).not.toBe(billing.keyPrefix);
    await billing.handled(await billing.emit(stream, {}));
    const receipt = await audit.emit(stream, {});
    expect(await audit.deadLettered(receipt)).toMatchObject({ group: 'audit' });
    expect(await redis.client.xlen(billing.keyPrefix + stream)).toBe(1);
    expect(await redis.client.xlen(audit.keyPrefix + stream)).toBe(1);
  });

  it('says which name the app does not have, and that a microservice has one server', async () => {
    const module = appModule(freshName('orders'), NOWHERE);
    const billing = await tested(module);
    expect(() => billing.instance('adit')).toThrow(
      'The app has no RedisStreamsModule with the name "adit"',
    );
    await expect(
      RedisStreamsTesting.create(module, { connection: redis.url, logger: false }),
    ).rejects.toThrow(
      'The app has several instances of RedisStreamsModule, and a microservice without HTTP has one server. ' +
        'Pass { app: () => NestFactory.create(AppModule) }: its servers can all listen',
    );
  });
});
