import 'reflect-metadata';
import { ClientRedisStreams } from 'nestjs-redis-streams';
import { firstValueFrom } from 'rxjs';

import { STREAM } from '../bench-stream.js';
import { oneAtATime } from './one-at-a-time.js';
import { openService } from './service.js';
import { serveTasks } from './serve-tasks.js';

serveTasks(async ({ redisUrl, messages }) => {
  let arrived: () => void = () => undefined;
  const app = await openService(redisUrl, () => arrived());
  const client = new ClientRedisStreams({ connection: redisUrl });
  await Promise.all([app.listen(), client.connect()]);
  const times = await oneAtATime(messages, (payload, onArrival) => {
    arrived = onArrival;
    return firstValueFrom(client.emit(STREAM, payload));
  });
  await app.close();
  await client.close();
  return times;
});
