/** One service of the shop on the screens, with its metrics on a port of its own. Its name is the argument. */
import 'reflect-metadata';

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import { Controller, Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import {
  ClientRedisStreams,
  DeadLetterException,
  RedisStreamsContext,
  RedisStreamsModule,
  ServerRedisStreams,
  subscription,
} from 'nestjs-redis-streams';
import { RedisStreamsMetricsModule } from 'nestjs-redis-streams/prometheus';
import { register } from 'prom-client';
import { firstValueFrom } from 'rxjs';

import { ordersPerSecond, sleep, SLOW_S, type Service, work } from './setting.js';

interface Order {
  readonly n: number;
}

class TimeoutError extends Error {
  override readonly name = 'TimeoutError';
}

const began = performance.now();
const second = (): number => (performance.now() - began) / 1_000;

@Controller()
class Shop {}

@Controller()
class Billing {
  constructor(private readonly client: ClientRedisStreams) {}

  @EventPattern<string>('orders', subscription({ concurrency: 4, startFrom: 'beginning' }))
  async onOrder(@Payload() { n }: Order, @Ctx() context: RedisStreamsContext): Promise<void> {
    await work(60);
    if (n % 400 === 7) throw new DeadLetterException('the order has no items');
    if (n % 23 === 0 && context.getAttempt() < 3) throw new TimeoutError('the bank is away');
    await firstValueFrom(this.client.emit('payments', { n }));
  }
}

@Controller()
class Shipping {
  @EventPattern<string>('orders', subscription({ concurrency: 8, startFrom: 'beginning' }))
  async onOrder(): Promise<void> {
    const isSlow = second() > SLOW_S[0] && second() < SLOW_S[1];
    await work(isSlow ? 450 : 70);
  }
}

@Controller()
class Ledger {
  constructor(private readonly client: ClientRedisStreams) {}

  @EventPattern<string>('payments', subscription({ concurrency: 4, startFrom: 'beginning' }))
  async onPayment(@Payload() { n }: Order): Promise<void> {
    await work(12);
    if (n % 2 === 0) await firstValueFrom(this.client.emit('emails', { n }));
  }
}

@Controller()
class Mailer {
  @EventPattern<string>('emails', subscription({ concurrency: 2, startFrom: 'beginning' }))
  async onEmail(@Payload() { n }: Order): Promise<void> {
    await work(25);
    if (n % 150 === 0) throw new TimeoutError('the mail server did not answer');
  }
}

const OF: Record<Service, readonly [group: string, controller: Type]> = {
  shop: ['shop', Shop],
  billing: ['billing', Billing],
  'billing-2': ['billing', Billing],
  shipping: ['shipping', Shipping],
  ledger: ['ledger-writer', Ledger],
  mailer: ['mailer', Mailer],
};

const service = process.argv[2] as Service;
const [group, controller] = OF[service];
const retention = { maxAgeMs: 300_000 };

@Module({
  imports: [
    RedisStreamsModule.forRoot({
      connection: process.env['REDIS_URL'] ?? '',
      group,
      consumer: `${group}.web-${service === 'billing-2' ? 2 : 1}`,
      retry: { maxAttempts: 3, backoff: { type: 'fixed', delayMs: 4_000 } },
      streams: { orders: { retention }, payments: { retention }, emails: { retention } },
      maintenance: {
        ledgerIntervalMs: 30_000,
        retentionIntervalMs: 45_000,
        consumersIntervalMs: 60_000,
      },
    }),
    RedisStreamsMetricsModule.forRoot({ intervalMs: 500 }),
  ],
  controllers: [controller],
})
class ServiceModule {}

const app = await NestFactory.create(ServiceModule, { logger: ['fatal'] });
app.connectMicroservice({ strategy: app.get(ServerRedisStreams) });
await app.startAllMicroservices();

const page = createServer((_, response) => {
  void register.metrics().then((text) => response.end(text));
}).listen(0, '127.0.0.1', () => {
  process.stdout.write(`${(page.address() as AddressInfo).port}\n`);
});

if (service === 'shop') {
  const client = app.get(ClientRedisStreams);
  for (let n = 0; ;) {
    const orders = Array.from({ length: ordersPerSecond(second()) }, () => ({ n: n++ }));
    await firstValueFrom(client.emitBatch('orders', orders)).catch(() => undefined);
    await sleep(1_000);
  }
}
