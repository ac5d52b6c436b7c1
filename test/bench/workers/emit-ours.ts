import 'reflect-metadata';
import { Logger } from '@nestjs/common';
import { ClientRedisStreams } from 'nestjs-redis-streams';
import { firstValueFrom } from 'rxjs';

import { STREAM } from '../bench-stream.js';
import { orderOf } from '../messages/order.js';
import { inRounds } from './in-rounds.js';
import { serveTasks } from './serve-tasks.js';

const BATCH = 1_000;

// Without an app that sets a logger, a client logs that it has connected.
Logger.overrideLogger(['error', 'warn']);

serveTasks(async ({ redisUrl, messages, publishDedup, what }) => {
  const client = new ClientRedisStreams({
    connection: redisUrl,
    ...(publishDedup === false ? { publishDedup } : {}),
  });
  await client.connect();
  const startedAt = performance.now();
  if (what === 'emitBatch') {
    await inRounds(messages / BATCH, 1, (batch) => {
      const orders = Array.from({ length: BATCH }, (_, n) => orderOf(batch * BATCH + n));
      return firstValueFrom(client.emitBatch(STREAM, orders));
    });
  } else {
    await inRounds(messages, 100, (n) => firstValueFrom(client.emit(STREAM, orderOf(n))));
  }
  const seconds = (performance.now() - startedAt) / 1000;
  await client.close();
  return [messages / seconds];
});
