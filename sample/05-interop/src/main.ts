import { Logger } from '@nestjs/common';
import { Redis } from 'ioredis';
import { DeadLetters } from 'nestjs-redis-streams';
import { startRedis } from 'nestjs-redis-streams/testing';

import { AppModule } from './app.module.js';
import { goPublish, goRead, python } from './others.js';
import { startService } from './start-service.js';
import { until } from './until.js';

const ORDERS = 'sample-05-orders';
const SHIPMENTS = 'sample-05-shipments';
const SHIPPED = 'sample-05-shipped';

const redis = await startRedis();
const raw = new Redis(redis.url);
await raw.del(ORDERS, SHIPMENTS, SHIPPED);
const app = await startService(AppModule.register(redis.url));
const deadLetters = app.get(DeadLetters);
await deadLetters.purge({ stream: ORDERS });
const go = new Logger('Go');

// Another service is written in Python, and sometimes sends an invalid order.
await python(raw, ORDERS, 'order.created', { order_id: 'ORD-1', quantity: 2 });
await python(raw, ORDERS, 'order.created', { order_id: 'ORD-2', quantity: '2' });
await until(async () => (await deadLetters.count({ stream: ORDERS })) === 1);
await until(async () => (await raw.xlen(SHIPMENTS)) === 1);
const [letter] = await deadLetters.list({ stream: ORDERS });
new Logger('Orders').log(`Dead letter ${JSON.stringify(letter?.payload)}: ${letter?.reason}`);

// A third one is written in Go: it reads our messages and answers.
for (const message of await goRead(raw, SHIPMENTS)) go.log(message);
await goPublish(
  raw,
  SHIPPED,
  { order_id: 'ORD-1' },
  { name: 'orders.OrderShipped', carrier: 'ox cart' },
);
await until(async () => (await raw.xpending(SHIPPED, 'sample-05-nest'))[0] === 0 && isRead());

await app.close();
await raw.quit();
await redis.stop();

/** Whether the group has read all entries that Go wrote. */
async function isRead(): Promise<boolean> {
  const processed = `stream:{${SHIPPED}}:group:sample-05-nest:processed`;
  return (await raw.zcard(processed)) > 0;
}
