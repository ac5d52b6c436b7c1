import 'reflect-metadata';
import { ClientRedisStreams } from 'nestjs-redis-streams';
import { firstValueFrom } from 'rxjs';

import { STREAM } from '../bench-stream.js';
import { orderOf } from '../messages/order.js';
import { Countdown } from './countdown.js';
import { inRounds } from './in-rounds.js';
import { openService } from './service.js';
import { serveTasks } from './serve-tasks.js';

serveTasks(async ({ redisUrl, messages }) => {
  const countdown = new Countdown(messages);
  const app = await openService(redisUrl, () => countdown.one());
  const client = new ClientRedisStreams({ connection: redisUrl });
  await Promise.all([app.listen(), client.connect()]);
  const startedAt = performance.now();
  await inRounds(messages, 50, (n) => firstValueFrom(client.emit(STREAM, orderOf(n))));
  await countdown.done;
  const seconds = (performance.now() - startedAt) / 1000;
  await app.close();
  await client.close();
  return [messages / seconds];
});
