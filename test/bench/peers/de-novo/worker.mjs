import 'reflect-metadata';
import { createRequire } from 'node:module';

import { countdown, inRounds, orderOf, serveTasks } from './serve-tasks.mjs';

// All of it is CommonJS, and some of it names its exports in a form that an import does not see.
const require = createRequire(import.meta.url);
const { Controller, Module } = require('@nestjs/common');
const { NestFactory } = require('@nestjs/core');
const { EventPattern } = require('@nestjs/microservices');
const { RedisStreamClient, RedisStreamServer } = require('@de-novo/nestjs-redis-streams');

const STREAM = 'orders';

// Its close() breaks a read without waiting for it.
process.on('unhandledRejection', () => undefined);

serveTasks(async ({ redisUrl, messages }) => {
  const { done, one } = countdown(messages);
  class OrdersController {
    on() {
      one();
    }
  }
  const descriptor = Object.getOwnPropertyDescriptor(OrdersController.prototype, 'on');
  EventPattern(STREAM)(OrdersController.prototype, 'on', descriptor);
  Controller()(OrdersController);
  function BenchModule() {}
  Module({ controllers: [OrdersController] })(BenchModule);
  const options = {
    connection: { path: redisUrl },
    streams: { consumer: 'bench-1', consumerGroup: 'bench', block: 1_000 },
  };
  const app = await NestFactory.createMicroservice(BenchModule, {
    strategy: new RedisStreamServer(options),
    logger: ['error'],
  });
  const client = new RedisStreamClient(options);
  await Promise.all([app.listen(), client.connect()]);
  // Its groups start with later messages, and nothing reports when they exist.
  await new Promise((resolve) => setTimeout(resolve, 500));
  const startedAt = performance.now();
  // Its emit() waits for a reply, which an event does not have: this is the function that it calls, which
  // waits for the XADD.
  await inRounds(messages, 50, (n) =>
    client.publishStream({ pattern: STREAM, data: { value: orderOf(n) } }),
  );
  await done;
  const seconds = (performance.now() - startedAt) / 1000;
  await client.close();
  await app.close();
  return [messages / seconds];
});
