import { describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';

import { clientsForTests } from '../support/clients-for-tests.js';
import { emit } from '../support/delayed-messages.js';
import { freshName } from '../support/fresh-name.js';
import { addEntries } from '../support/group-state.js';
import { keyed } from '../support/keyed-messages.js';
import { logged, recordedLog } from '../support/recorded-log.js';
import { redisForTests } from '../support/redis-for-tests.js';
import {
  closeAppsAfterEach,
  handlerOf,
  type StreamsApp,
  streamsApp,
} from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
const { clientFor } = clientsForTests(redis);
Logger.overrideLogger(recordedLog);
closeAppsAfterEach();

const GROUP = 'billing';
const reader = (stream: string, partitions: number): Promise<StreamsApp> =>
  streamsApp(
    { connection: redis.url, group: GROUP, streams: { [stream]: { partitions } } },
    { controllers: [handlerOf(stream, () => undefined)] },
  );
const recordedCount = (stream: string): Promise<string | null> =>
  redis.client.get(`stream:{${stream}}:partitions`);

describe('the number of partitions', () => {
  it('is recorded by its readers, and nothing is logged if all have the same', async () => {
    const stream = freshName('orders');
    await reader(stream, 4);
    await waitFor(async () => (await recordedCount(stream)) === '4');
    await reader(stream, 4);
    const client = clientFor({ streams: { [stream]: { partitions: 4 } } });
    await emit(client, stream, keyed('customer-1', 1));
    expect(logged('warn', stream)).toEqual([]);
  });

  it('causes a warning in a reader that has another, which says what to do', async () => {
    const stream = freshName('orders');
    await reader(stream, 4);
    await waitFor(async () => (await recordedCount(stream)) === '4');
    await reader(stream, 3);
    const [warning] = await waitFor(() => {
      const warned = logged('warn', `Stream "${stream}" has 3 partitions here`);
      return warned.length > 0 && warned;
    });
    expect(warning).toContain('whoever read it last had 4');
    expect(warning).toContain(`streams.${stream}.partitions`);
    expect(warning).toContain('what is in partition 3 is unread');
    expect(await recordedCount(stream)).toBe('3');
  });

  it('causes one warning in a client that has another', async () => {
    const stream = freshName('orders');
    await reader(stream, 4);
    await waitFor(async () => (await recordedCount(stream)) === '4');
    const client = clientFor({ streams: { [stream]: { partitions: 8 } } });
    for (let n = 0; n < 10; n++) await emit(client, stream, keyed(`customer-${n}`, n));
    const warned = (): string[] => logged('warn', `Stream "${stream}" has 8 partitions here`);
    await waitFor(() => warned().length > 0);
    expect(warned()).toEqual([expect.stringContaining('its readers have 4')]);
    expect(warned()[0]).toContain('partition 4 or a higher one waits unread');
  });

  it('is checked even if entries are in no partition', async () => {
    const stream = freshName('orders');
    await addEntries(redis.client, stream, [1]);
    await reader(stream, 4);
    await waitFor(
      () => logged('warn', `Stream "${stream}" has entries that are in none`).length > 0,
    );
  });

  it('is not checked if its key holds something else, and the log says so', async () => {
    const stream = freshName('orders');
    await redis.client.hset(`stream:{${stream}}:partitions`, 'a', 'b');
    const client = clientFor({ streams: { [stream]: { partitions: 8 } } });
    await emit(client, stream, keyed('customer-1', 1));
    await waitFor(() => logged('warn', stream).length > 0);
    expect(logged('warn', stream)).toEqual([
      expect.stringContaining(`The key "stream:{${stream}}:partitions" holds no string`),
    ]);
  });

  it('may be unknown to a client without permission to ask', async () => {
    const [stream, user] = [freshName('orders'), freshName('user')];
    await redis.client.call('ACL', 'SETUSER', user, 'on', '>secret', '~*', '&*', '+@all', '-get');
    const url = new URL(redis.url);
    Object.assign(url, { username: user, password: 'secret' });
    const client = clientFor({
      connection: url.href,
      publishDedup: false,
      streams: { [stream]: { partitions: 8 } },
    });
    await emit(client, stream, keyed('customer-1', 1));
    await waitFor(async () => String(await redis.client.call('ACL', 'LOG')).includes(user));
    expect(logged('warn', stream)).toEqual([]);
  });
});
