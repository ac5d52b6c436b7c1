import { describe, expect, it } from '@jest/globals';
import { firstValueFrom } from 'rxjs';

import { DeadLetters, InvalidOptionsError, InvalidStreamNameError } from '../../lib/index.js';
import { clientsForTests } from '../support/clients-for-tests.js';
import { freshName } from '../support/fresh-name.js';
import { logged } from '../support/recorded-log.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach, handlerOf, streamsApp } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
const { clientFor } = clientsForTests(redis);
closeAppsAfterEach();

const reading = (stream: string, options: object = {}) =>
  streamsApp(
    { connection: redis.url, group: 'billing', ...options },
    { controllers: [handlerOf(stream, () => undefined)] },
  );
const keysOf = (name: string): Promise<string[]> => redis.client.keys(`*${name}*`);

describe('a stream whose keys would be those of something else', () => {
  const name = freshName('orders');
  it.each([
    ['another stream', `{${name}}`, {}],
    ['a partition of a stream', `${name}:0`, { streams: { [name]: { partitions: 2 } } }],
    ['a ledger', `stream:{${name}}:group:billing:processed`, {}],
    ['an inbox', `stream:replies:{${name}}`, {}],
    ['the list of delayed messages', 'stream:delayed-streams', {}],
  ])('is refused, and nothing is written: %s', async (_, stream, options) => {
    const client = clientFor(options);
    await expect(firstValueFrom(client.emit(stream, {}))).rejects.toThrow(InvalidStreamNameError);
    await expect(reading(stream, options)).rejects.toThrow(InvalidStreamNameError);
    expect(await keysOf(name)).toEqual([]);
  });

  it('is left alone if a wildcard matches it, and the log says why', async () => {
    const start = freshName('orders');
    await redis.client.xadd(`{${start}}`, '*', 'name', 'a', 'body', '{}');
    await reading(`*${start}*`, { discoveryIntervalMs: 100 });
    await waitFor(() => logged('error', `use that name`).some((line) => line.includes(start)));
    expect(await redis.client.xinfo('GROUPS', `{${start}}`)).toEqual([]);
  });

  it.each([
    ['a stream that looks like a partition', ':0', {}],
    ['with a hash tag', '{eu}', {}],
    ['with a word of this package after a tag', '{eu}:jobs', {}],
    ['with the word after a tag', '{eu}:group:created', {}],
  ])('is not: %s', async (_, end, options) => {
    const stream = freshName('orders') + end;
    await expect(firstValueFrom(clientFor(options).emit(stream, {}))).resolves.toMatchObject({
      stream,
    });
    expect(await redis.client.exists(stream)).toBe(1);
  });
});

describe('a group whose keys could be those of another stream', () => {
  it.each(['b:group:c', 'group:c', 'b:jobs:ledger:c', 'jobs:c'])(
    'is refused: %s',
    async (group) => {
      await expect(reading(freshName('orders'), { group })).rejects.toThrow(InvalidOptionsError);
      expect(() => new DeadLetters({ connection: redis.url, group })).toThrow(InvalidOptionsError);
    },
  );

  it.each(['group', 'b:group', 'my-group:c', 'jobs'])('is not: %s', async (group) => {
    const { server } = await reading(freshName('orders'), { group });
    expect(server.options.group).toBe(group);
  });
});
