import 'reflect-metadata';
import { setTimeout as delay } from 'node:timers/promises';
import { Controller, type INestMicroservice, type Type } from '@nestjs/common';
import { EventPattern } from '@nestjs/microservices';
import { subscription } from 'nestjs-redis-streams';

import { openMicroservice } from './service.js';
import { serveTasks } from './serve-tasks.js';

let app: INestMicroservice | undefined;

/** Answers with the share of one core, in percent, that this process uses while idle. */
serveTasks(async ({ redisUrl, messages: streams, waitMs = 0 }) => {
  if (app === undefined) {
    app = await openMicroservice(redisUrl, controllerOf(streams));
    await app.listen();
  }
  const before = process.cpuUsage();
  const startedAt = performance.now();
  await delay(waitMs);
  const { user, system } = process.cpuUsage(before);
  return [((user + system) / 1000 / (performance.now() - startedAt)) * 100];
});

/** A controller with a handler for each stream. */
function controllerOf(streams: number): Type {
  @Controller()
  class StreamsController {
    [handler: `on${number}`]: () => void;
  }
  for (let n = 0; n < streams; n++) {
    const descriptor = { value: (): void => undefined };
    Object.defineProperty(StreamsController.prototype, `on${n}`, descriptor);
    const decorate = EventPattern(`orders-${n}`, subscription({ startFrom: 'beginning' }));
    decorate(StreamsController.prototype, `on${n}`, descriptor);
  }
  return StreamsController;
}
