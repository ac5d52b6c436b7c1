import { describe, expect, it } from '@jest/globals';
import { firstValueFrom } from 'rxjs';

import { freshName } from '../support/fresh-name.js';
import { logged } from '../support/recorded-log.js';
import { redisForTests } from '../support/redis-for-tests.js';
import {
  closeAppsAfterEach,
  handlerOf,
  type StreamsApp,
  streamsApp,
} from '../support/streams-app.js';

const redis = redisForTests();
closeAppsAfterEach();

const start = (
  stream: string,
  consumer: string | undefined,
  group = 'billing',
): Promise<StreamsApp> =>
  streamsApp(
    { connection: redis.url, group, ...(consumer === undefined ? {} : { consumer }) },
    { controllers: [handlerOf(stream, () => undefined)] },
  );

const warnings = (consumer: string): string[] =>
  logged('warn', `Another process reads as consumer "${consumer}"`);

describe('a consumer name that another process has', () => {
  it('is one clear warning of the second process', async () => {
    const [stream, consumer] = [freshName('orders'), freshName('name')];
    await start(stream, consumer);
    expect(warnings(consumer)).toEqual([]);
    await start(stream, consumer);
    expect(warnings(consumer)).toEqual([
      `Another process reads as consumer "${consumer}" of group "billing". Each takes what the other has for its own, so messages may run twice and lose their order: give each process a name of its own, or leave "consumer" out`,
    ]);
  });

  it('is fine in another group, after that process has closed, and if the names are made here', async () => {
    const [stream, consumer] = [freshName('orders'), freshName('name')];
    const first = await start(stream, consumer);
    await start(stream, consumer, 'shipping');
    await first.close();
    await start(stream, consumer);
    await start(stream, undefined);
    await start(stream, undefined);
    expect(warnings(consumer)).toEqual([]);
  });
});

describe('an app that was shut down', () => {
  it('publishes nothing any more, so that its process can end', async () => {
    const stream = freshName('orders');
    const app = await start(stream, undefined);
    await app.emit(stream, 1);
    await app.close();
    await expect(firstValueFrom(app.client.emit(stream, 2))).rejects.toThrow(
      'The connection to Redis has ended: the app was shut down',
    );
    await expect(firstValueFrom(app.client.send(stream, 2))).rejects.toThrow('was shut down');
    await expect(app.client.connect()).rejects.toThrow('was shut down');
    expect(await redis.client.xlen(stream)).toBe(1);
  });
});
