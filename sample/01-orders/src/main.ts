import { Logger } from '@nestjs/common';
import { startRedis } from 'nestjs-redis-streams/testing';

import { httpPort } from './http-port.js';
import { ShippingModule } from './shipping/shipping.module.js';
import { OrdersService } from './shop/orders.service.js';
import { ShopModule } from './shop/shop.module.js';
import { startService } from './start-service.js';

const logger = new Logger('Sample');

const redis = await startRedis();
logger.log(`Redis on ${redis.host}:${redis.port} (${redis.source})`);

const shipping = await startService(ShippingModule.register(redis.url));
const shop = await startService(ShopModule.register(redis.url));
await shop.listen(await httpPort());

let closing: Promise<void> | undefined;

async function close(): Promise<void> {
  logger.log('Closing');
  await shop.close();
  await shipping.close();
  await redis.stop();
  logger.log('Closed');
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  // Stays registered: after a Ctrl-C npm sends the signal a second time, which must do nothing.
  process.on(signal, () => {
    closing ??= close();
  });
}

const orders = shop.get(OrdersService);
await orders.place({ item: 'tea', quantity: 2 });
await orders.place({ item: 'teapot', quantity: 1 });
await orders.place({ item: 'cup', quantity: 6 });

const url = (await shop.getUrl()).replace('[::1]', 'localhost');
logger.log('Ready. Ctrl-C stops it. To place an order yourself:');
logger.log(
  `curl -X POST ${url}/orders -H 'content-type: application/json' -d '{"item":"tea","quantity":2}'`,
);
