import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ServerRedisStreams } from 'nestjs-redis-streams';
import { startRedis } from 'nestjs-redis-streams/testing';

import { PricingModule } from './pricing/pricing.module.js';
import { ShopModule } from './shop/shop.module.js';
import { ShopService } from './shop/shop.service.js';

const logger = new Logger('Sample');

const redis = await startRedis();
logger.log(`Redis on ${redis.host}:${redis.port} (${redis.source})`);

const pricing = await NestFactory.create(PricingModule.register(redis.url));
pricing.connectMicroservice({ strategy: pricing.get(ServerRedisStreams) });
await pricing.startAllMicroservices();

const shop = await NestFactory.createApplicationContext(ShopModule.register(redis.url));
const service = shop.get(ShopService);

const ask = async (what: string, asked: Promise<unknown>): Promise<void> => {
  const reply = await asked.then(JSON.stringify, (error: unknown) => service.reason(error));
  logger.log(`${what}: ${reply}`);
};

await ask('2 × tea', service.price({ name: 'tea', quantity: 2 }));
await ask('1 × teapot', service.price({ name: 'teapot', quantity: 1 }));
await ask('what tea cost', service.history('tea'));
await ask('1 × unicorn', service.price({ name: 'unicorn', quantity: 1 }));
await pricing.close();
await ask('1 × tea, with nobody there', service.price({ name: 'tea', quantity: 1 }));

await shop.close();
await redis.stop();
logger.log('Closed');
