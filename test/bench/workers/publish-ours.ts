import 'reflect-metadata';
import { ClientRedisStreams } from 'nestjs-redis-streams';
import { firstValueFrom } from 'rxjs';

import { STREAM } from '../bench-stream.js';
import { orderOf } from '../messages/order.js';
import { Tally } from './tally.js';
import { inRounds } from './in-rounds.js';
import { openService } from './service.js';
import { serveTasks } from './serve-tasks.js';

serveTasks(async ({ redisUrl, messages }) => {
  const tally = new Tally();
  const app = await openService(redisUrl, () => tally.one());
  const client = new ClientRedisStreams({ connection: redisUrl });
  await Promise.all([app.listen(), client.connect()]);
  const startedAt = performance.now();
  await inRounds(messages, 50, (n) => firstValueFrom(client.emit(STREAM, orderOf(n))));
  await tally.reached(messages);
  const seconds = (performance.now() - startedAt) / 1000;
  await app.close();
  await client.close();
  return [messages / seconds];
});
