import { describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { EventPattern } from '@nestjs/microservices';
import { Registry } from 'prom-client';
import { firstValueFrom } from 'rxjs';

import {
  ClientRedisStreams,
  DeadLetterException,
  DeadLetters,
  getStreamsToken,
  REDIS_STREAMS,
  streamsTransport,
} from '../../lib/index.js';
import { RedisStreamsMetricsModule } from '../../lib/telemetry/prometheus/index.js';
import { RedisStreamsHealthIndicator } from '../../lib/telemetry/terminus/index.js';
import { freshName } from '../support/fresh-name.js';
import { closeInstancesAfterEach, instancesApp } from '../support/instances-app.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
closeInstancesAfterEach();

async function observedApp() {
  const stream = freshName('orders');
  @Controller()
  class Readers {
    @EventPattern<string>(stream, REDIS_STREAMS)
    onBilling(): void {}
    @EventPattern<string>(stream, streamsTransport('audit'))
    onAudit(): void {
      throw new DeadLetterException('no use');
    }
  }
  const registry = new Registry();
  const app = await instancesApp(
    [
      { connection: redis.url, group: 'billing' },
      { connection: redis.url, group: 'audit', name: 'audit' },
    ],
    {
      imports: [
        TerminusModule.forRoot({ logger: false }),
        RedisStreamsMetricsModule.forRoot({ registry, intervalMs: 0 }),
      ],
      providers: [RedisStreamsHealthIndicator],
      controllers: [Readers],
    },
  );
  await firstValueFrom(app.get(ClientRedisStreams).emit(stream, {}));
  const letters = app.get<DeadLetters>(getStreamsToken(DeadLetters, 'audit'));
  await waitFor(async () => (await letters.count({ stream })) === 1);
  return { app, stream, registry };
}

describe('the health of an app with several instances', () => {
  it('is that of all, or of the one with a name', async () => {
    const { app, stream } = await observedApp();
    const health = app.get(RedisStreamsHealthIndicator);
    const tooMany = `stream "${stream}" has 1 dead letters, and 0 are allowed`;
    expect(await health.isHealthy('streams', { maxDeadLetters: 0 })).toEqual({
      streams: { status: 'down', problems: [`instance "audit": ${tooMany}`] },
    });
    expect(await health.isHealthy('streams', { maxDeadLetters: 0, name: 'audit' })).toMatchObject({
      streams: { status: 'down' },
    });
    expect(await health.isHealthy('streams')).toEqual({ streams: { status: 'up' } });
    await expect(health.isHealthy('streams', { name: 'adit' })).rejects.toThrow(
      'Option "limits.name": given "adit", allowed: nothing, or a name that RedisStreamsModule has in this app: audit',
    );
  });
});

describe('the metrics of an app with several instances', () => {
  it('have the name of their instance as a label, if it has one', async () => {
    const { app, stream, registry } = await observedApp();
    const text = await waitFor(async () => {
      const metrics = await registry.metrics();
      const billed = `redis_streams_messages_handled_total{stream="${stream}",group="billing",outcome="handled"} 1`;
      const dead = `outcome="dead_letter"} 1`;
      return metrics.includes(billed) && metrics.includes(dead) && metrics;
    });
    const audit = `stream="${stream}",group="audit",instance_name="audit"`;
    const lines = text.split('\n');
    expect(lines).toEqual(
      expect.arrayContaining([
        `redis_streams_messages_handled_total{${audit},outcome="dead_letter"} 1`,
        `redis_streams_dead_letters{${audit}} 1`,
        `redis_streams_dead_letters{stream="${stream}",group="billing"} 0`,
        'redis_streams_up 1',
        'redis_streams_up{instance_name="audit"} 1',
      ]),
    );
    await app.close();
    expect(await registry.metrics()).not.toContain('redis_streams_');
  });
});
