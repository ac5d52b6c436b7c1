import 'reflect-metadata';
import { getQueueToken, BullModule, Processor, WorkerHost } from '@nestjs/bullmq';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Queue, Worker } from 'bullmq';

import { countdown, inRounds, orderOf, serveTasks } from './serve-tasks.mjs';

const QUEUE = 'orders';

serveTasks((task) => (task.what === 'drain' ? drain(task) : publishAndConsume(task)));

const connectionOf = ({ redisUrl }) => {
  const { hostname: host, port } = new URL(redisUrl);
  return { host, port: Number(port) };
};

/** BullMQ's own worker, which is faster than one behind Nest, with waiting jobs. */
async function drain(task) {
  const { messages } = task;
  const connection = connectionOf(task);
  const queue = new Queue(QUEUE, { connection });
  await inRounds(messages / 500, 1, (part) =>
    queue.addBulk(
      Array.from({ length: 500 }, (_, n) => ({
        name: 'order.created',
        data: orderOf(part * 500 + n),
      })),
    ),
  );
  const { done, one } = countdown(messages);
  const startedAt = performance.now();
  const worker = new Worker(QUEUE, async () => undefined, { connection, concurrency: 100 });
  worker.on('completed', one);
  await done;
  const seconds = (performance.now() - startedAt) / 1000;
  await worker.close();
  await queue.close();
  return [messages / seconds];
}

/** Through Nest, as its users do. */
async function publishAndConsume(task) {
  const { messages } = task;
  const { done, one } = countdown(messages);
  class OrdersProcessor extends WorkerHost {
    async process() {
      one();
    }
  }
  Processor(QUEUE, { concurrency: 100 })(OrdersProcessor);
  function BenchModule() {}
  Module({
    imports: [
      BullModule.forRoot({ connection: connectionOf(task) }),
      BullModule.registerQueue({ name: QUEUE }),
    ],
    providers: [OrdersProcessor],
  })(BenchModule);
  const app = await NestFactory.createApplicationContext(BenchModule, {
    logger: ['error', 'warn'],
  });
  const queue = app.get(getQueueToken(QUEUE));
  await queue.waitUntilReady();
  const startedAt = performance.now();
  await inRounds(messages, 50, (n) => queue.add('order.created', orderOf(n)));
  await done;
  const seconds = (performance.now() - startedAt) / 1000;
  await app.close();
  return [messages / seconds];
}
