import { describe, expect, it } from '@jest/globals';
import { Controller, Inject, Injectable, Module } from '@nestjs/common';
import { SchedulerRegistry, ScheduleModule } from '@nestjs/schedule';
import { EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { firstValueFrom } from 'rxjs';

import {
  ClientRedisStreams,
  DeadLetterException,
  DeadLetters,
  getStreamsToken,
  IdleConsumersJob,
  InjectStreams,
  InvalidOptionsError,
  LedgerMaintenanceJob,
  REDIS_STREAMS,
  RedisStreamsModule,
  RedisStreamsPull,
  RetentionJob,
  ServerRedisStreams,
  StreamsMonitor,
  streamsTransport,
  subscription,
} from '../../lib/index.js';
import { freshName } from '../support/fresh-name.js';
import { isCaughtUp } from '../support/group-state.js';
import { closeInstancesAfterEach, instancesApp } from '../support/instances-app.js';
import { ownRedis } from '../support/own-redis.js';
import { logged } from '../support/recorded-log.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
closeInstancesAfterEach();

/** A controller that notes what each of two instances gets from a stream. */
function readersOf(stream: string) {
  const got: Record<'billing' | 'audit', unknown[]> = { billing: [], audit: [] };
  @Controller()
  class Readers {
    @EventPattern<string>(stream, REDIS_STREAMS, subscription({ startFrom: 'beginning' }))
    onBilling(@Payload() order: unknown): void {
      got.billing.push(order);
    }
    @EventPattern<string>(stream, streamsTransport('audit'), subscription({ concurrency: 4 }))
    onAudit(@Payload() order: unknown): void {
      got.audit.push(order);
    }
  }
  return { got, Readers };
}

describe('two named groups on one Redis', () => {
  it('each get every message, with their own handlers, options and jobs', async () => {
    const stream = freshName('orders');
    const { got, Readers } = readersOf(stream);
    const app = await instancesApp(
      [
        { connection: redis.url, group: 'billing' },
        { connection: redis.url, group: 'audit', name: 'audit', delivery: 'at-most-once' },
      ],
      { imports: [ScheduleModule.forRoot()], controllers: [Readers] },
    );
    await firstValueFrom(app.get(ClientRedisStreams).emit(stream, { n: 1 }));
    await firstValueFrom(app.get(getStreamsToken('audit')).emit(stream, { n: 2 }));
    await waitFor(() => isCaughtUp(redis.client, stream, 'billing'));
    await waitFor(() => isCaughtUp(redis.client, stream, 'audit'));
    const both = [{ n: 1 }, { n: 2 }];
    await waitFor(() => got.billing.length === 2 && got.audit.length === 2);
    expect(got).toEqual({ billing: both, audit: expect.arrayContaining(both) });
    expect(app.get(ServerRedisStreams).subscriptions()).toMatchObject([
      { stream, options: { concurrency: 1, delivery: 'at-least-once' } },
    ]);
    const audit = app.get<ServerRedisStreams>(getStreamsToken(ServerRedisStreams, 'audit'));
    expect(audit.subscriptions()).toMatchObject([
      { stream, options: { concurrency: 4, delivery: 'at-most-once' } },
    ]);
    const monitor = app.get<StreamsMonitor>(getStreamsToken(StreamsMonitor, 'audit'));
    await waitFor(() => monitor.getStats().counts.handled === 2);
    expect(monitor.getStats().group).toBe('audit');
    expect(app.get(SchedulerRegistry).getIntervals().sort()).toEqual([
      'redis-streams:audit:consumers',
      'redis-streams:audit:ledger',
      'redis-streams:audit:retention',
      'redis-streams:consumers',
      'redis-streams:ledger',
      'redis-streams:retention',
    ]);
  });

  it('have providers by their name, and the one without a name by class', async () => {
    const stream = freshName('orders');
    @Controller()
    class Failing {
      @EventPattern<string>(stream, streamsTransport('audit'))
      on(): void {
        throw new DeadLetterException('no use');
      }
    }
    @Injectable()
    class Service {
      constructor(
        @Inject(ClientRedisStreams) readonly client: ClientRedisStreams,
        @InjectStreams() readonly same: ClientRedisStreams,
        @InjectStreams('audit') readonly audit: ClientRedisStreams,
        @InjectStreams(DeadLetters, 'audit') readonly letters: DeadLetters,
        @InjectStreams(DeadLetters) readonly none: DeadLetters,
      ) {}
    }
    const app = await instancesApp(
      [
        { connection: redis.url, group: 'audit', name: 'audit' },
        { connection: redis.url, group: 'billing' },
      ],
      { controllers: [Failing], providers: [Service] },
    );
    const { client, same, audit, letters, none } = app.get(Service);
    expect(same).toBe(client);
    expect(audit).not.toBe(client);
    await firstValueFrom(audit.emit(stream, { n: 1 }));
    await waitFor(async () => (await letters.count({ stream })) === 1);
    expect(await none.count({ stream })).toBe(0);
    const classes = [
      ServerRedisStreams,
      RedisStreamsPull,
      StreamsMonitor,
      LedgerMaintenanceJob,
      RetentionJob,
      IdleConsumersJob,
    ];
    for (const type of classes) {
      expect(app.get(getStreamsToken(type))).toBe(app.get(type));
      expect(app.get(getStreamsToken(type, 'audit'))).not.toBe(app.get(type));
      expect(app.get(getStreamsToken(type, 'audit'))).toBeInstanceOf(type);
    }
  });

  it('log with their name', async () => {
    const app = await instancesApp(
      [
        { connection: redis.url, group: 'billing' },
        { connection: redis.url, group: 'audit', name: 'audit' },
      ],
      {},
    );
    const contextOf = (provider: object): unknown =>
      Reflect.get(Reflect.get(provider, 'logger'), 'context');
    expect(contextOf(app.get(ServerRedisStreams))).toBe('ServerRedisStreams');
    const named = [ServerRedisStreams, ClientRedisStreams, RedisStreamsPull, RetentionJob].map(
      (type) => contextOf(app.get(getStreamsToken(type, 'audit'))),
    );
    expect(named).toEqual([
      'ServerRedisStreams:audit',
      'ClientRedisStreams:audit',
      'RedisStreamsPull:audit',
      'RetentionJob:audit',
    ]);
  });
});

const withOther = (await ownRedis()) === 'none' ? describe.skip : describe;

withOther('two instances on two Redis servers', () => {
  const other = redisForTests({ args: [] });

  it('read and publish on their own server', async () => {
    const stream = freshName('orders');
    const { got, Readers } = readersOf(stream);
    const QUOTES = freshName('quotes');
    @Controller()
    class Quotes {
      @MessagePattern(QUOTES, streamsTransport('audit'))
      quote(): string {
        return 'by audit';
      }
    }
    @Module({})
    class Settings {}
    const forRoot = RedisStreamsModule.forRootAsync({
      name: 'audit',
      imports: [Settings],
      useFactory: () => ({ connection: other.url, group: 'billing' }),
    });
    const app = await instancesApp([{ connection: redis.url, group: 'billing' }], {
      imports: [forRoot],
      controllers: [Readers, Quotes],
      connect: [undefined, 'audit'],
    });
    const audit = app.get<ClientRedisStreams>(getStreamsToken('audit'));
    await firstValueFrom(app.get(ClientRedisStreams).emit(stream, { on: 'first' }));
    await firstValueFrom(audit.emit(stream, { on: 'second' }));
    expect(await firstValueFrom(audit.send(QUOTES, {}))).toBe('by audit');
    await waitFor(() => isCaughtUp(redis.client, stream, 'billing'));
    await waitFor(() => isCaughtUp(other.client, stream, 'billing'));
    expect(got).toEqual({ billing: [{ on: 'first' }], audit: [{ on: 'second' }] });
    const ledger = `stream:{${stream}}:group:billing:processed`;
    expect(await redis.client.zcard(ledger)).toBe(1);
    expect(await other.client.zcard(ledger)).toBe(1);
    await app.close();
    for (const { client } of [redis, other]) {
      await waitFor(async () => !String(await client.client('LIST')).includes('name=billing.'));
    }
  });
});

describe('a handler without a transport', () => {
  const twoGroups = () => [
    { connection: redis.url, group: 'billing' },
    { connection: redis.url, group: 'audit', name: 'audit' },
  ];

  it('stops an app that connects several instances, and the error says what to write', async () => {
    @Controller()
    class Orders {
      @EventPattern<string>('orders')
      onOrder(): void {}
    }
    const app = instancesApp(twoGroups(), { controllers: [Orders] });
    await expect(app).rejects.toThrow(InvalidOptionsError);
    await expect(app).rejects.toThrow(
      "Option \"@EventPattern('orders') of Orders.onOrder\": given no transport's ID, allowed: the ID of one transport, since " +
        'this app has several instances of RedisStreamsModule (the one without a name, "audit"), and Nest gives a handler ' +
        "without it to each of them: @EventPattern('orders', REDIS_STREAMS) or @EventPattern('orders', streamsTransport('audit'))",
    );
  });

  it('is for the one instance that is connected, if others only publish', async () => {
    const stream = freshName('orders');
    const got: unknown[] = [];
    @Controller()
    class Orders {
      @EventPattern<string>(stream)
      onOrder(@Payload() order: unknown): void {
        got.push(order);
      }
    }
    const app = await instancesApp(twoGroups(), { controllers: [Orders], connect: [undefined] });
    await firstValueFrom(app.get(getStreamsToken('audit')).emit(stream, { n: 1 }));
    await waitFor(() => got.length === 1);
  });
});

describe('a name', () => {
  it('that no instance of the app has is named by a warning, with the handler that waits for it', async () => {
    @Controller()
    class Mistaken {
      @EventPattern<string>('orders', streamsTransport('adit'))
      onOrder(): void {}
      @EventPattern<string>('orders', REDIS_STREAMS)
      onOther(): void {}
    }
    await instancesApp([{ connection: redis.url, group: 'audit', name: 'audit' }], {
      controllers: [Mistaken],
    });
    expect(logged('warn', 'Mistaken.')).toEqual([
      "Mistaken.onOrder has the transport streamsTransport('adit'), and no RedisStreamsModule of this app has this name: " +
        "unless another server has this transport, it gets no messages. There is: streamsTransport('audit')",
      'Mistaken.onOther has the transport REDIS_STREAMS, and no RedisStreamsModule of this app is without a name: ' +
        "unless another server has this transport, it gets no messages. There is: streamsTransport('audit')",
    ]);
  });

  it('that two instances have stops the app', async () => {
    const audit = { connection: redis.url, group: 'audit', name: 'audit' };
    await expect(instancesApp([audit, { ...audit }], {})).rejects.toThrow(
      /^Option "name": given "audit" twice, by RedisStreamsModule in \w+, allowed: a name once in an app/,
    );
  });

  it('in the result of a factory stops the app, since tokens need it earlier', async () => {
    const options = { connection: redis.url, group: 'audit', name: 'audit' };
    const later = RedisStreamsModule.forRootAsync({ useFactory: () => options });
    await expect(instancesApp([], { imports: [later] })).rejects.toThrow(
      'Option "name": given audit, allowed: outside of useFactory, useClass and useExisting, since it is part of the tokens: ' +
        'RedisStreamsModule.forRootAsync({ name, useFactory })',
    );
  });

  it.each(['', 'a b', 'x'.repeat(65)])('%p is refused', (name) => {
    const allowed = 'allowed: 1 to 64 letters, digits, _, . and -';
    expect(() => RedisStreamsModule.forRoot({ group: 'a', name })).toThrow(allowed);
    expect(() => getStreamsToken(name)).toThrow(allowed);
    expect(() => streamsTransport(name)).toThrow(allowed);
    expect(() => new ServerRedisStreams({ group: 'a', name })).toThrow(allowed);
  });

  it('has no token for a class that the module does not provide', () => {
    class Other extends DeadLetters {}
    expect(() => getStreamsToken(Other, 'audit')).toThrow(
      'Option "getStreamsToken()": given Other, allowed: the name of an instance, or one of the classes ClientRedisStreams, ',
    );
  });

  it('is that of a server without the module too', () => {
    const server = new ServerRedisStreams({ group: 'audit', name: 'audit' });
    expect(server.transportId).toBe(streamsTransport('audit'));
    expect(new ServerRedisStreams({ group: 'audit' }).transportId).toBe(REDIS_STREAMS);
  });
});
