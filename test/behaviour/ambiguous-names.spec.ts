import { describe, expect, it } from '@jest/globals';
import { firstValueFrom } from 'rxjs';

import {
  type ClientRedisStreams,
  DeadLetters,
  InvalidOptionsError,
  InvalidStreamNameError,
  PublishError,
  RedisStreamsRecordBuilder,
} from '../../lib/index.js';
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

describe('a stream that is named like a partition of another one, in two processes', () => {
  const names = (): { stream: string; like: string; partitioned: object } => {
    const stream = freshName('orders');
    return {
      stream,
      like: `${stream}:0`,
      partitioned: { streams: { [stream]: { partitions: 1 } } },
    };
  };
  const inOrder = <Item>(isGiven: boolean, [first, second]: Item[]) =>
    isGiven ? [first, second] : [second, first];
  const emitted = (client: ClientRedisStreams, stream: string, n: number, delayMs?: number) => {
    const builder = new RedisStreamsRecordBuilder(n).setMessageId('same');
    if (delayMs !== undefined) builder.setDelayMs(delayMs);
    return firstValueFrom(client.emit(stream, builder.build()));
  };

  it.each([true, false])(
    'is not read by the group of that one, whichever is read first (partitions first: %s)',
    async (partitionsFirst) => {
      const { stream, like, partitioned } = names();
      const group = 'billing';
      const readers = [() => reading(stream, partitioned), () => reading(like)];
      const [first, second] = inOrder(partitionsFirst, readers);
      const app = await first!();
      const owner = `stream:{${like}}:group:${group}:owner`;
      const members = `stream:{${like}}:group:${group}:members`;
      await waitFor(() => redis.client.exists(partitionsFirst ? owner : members));
      await expect(second!()).rejects.toThrow(
        /keys .* are in use .*give one of the two streams another name/,
      );
      await app.close();
    },
  );

  it('is left alone by a wildcard', async () => {
    const { stream, like, partitioned } = names();
    await reading(stream, partitioned);
    await waitFor(() => redis.client.exists(`stream:{${like}}:group:billing:owner`));
    await redis.client.xadd(like, '*', 'name', 'a', 'body', '{}');
    await reading(`${stream}:*`, { discoveryIntervalMs: 100 });
    await waitFor(() => logged('error', 'are in use').some((line) => line.includes(like)));
    expect(await redis.client.xinfo('GROUPS', like)).toEqual([]);
  });

  it.each([true, false])(
    'is not published to, whichever was first (partitions first: %s)',
    async (partitionsFirst) => {
      const { stream, like, partitioned } = names();
      const clients = [
        { client: clientFor(partitioned), to: stream },
        { client: clientFor(), to: like },
      ];
      const [first, second] = inOrder(partitionsFirst, clients);
      await emitted(first!.client, first!.to, 1);
      for (const delayMs of [undefined, 10]) {
        const refused = emitted(second!.client, second!.to, 2, delayMs);
        await expect(refused).rejects.toThrow(PublishError);
        await expect(refused).rejects.toMatchObject({ ambiguous: false });
        await expect(refused).rejects.toThrow('give one of the two streams another name');
      }
      expect(await redis.client.exists(`{${like}}`, like)).toBe(1);
      expect(await redis.client.exists(`stream:{${like}}:delayed`)).toBe(0);
      await expect(emitted(first!.client, first!.to, 1)).resolves.toMatchObject({
        duplicate: true,
      });
      // Nothing prevents it once the other is no longer used.
      await redis.client.del(`{${like}}`, like, ...(await keysOf(`{${like}}:published`)));
      await emitted(second!.client, second!.to, 3);
    },
  );

  it('does not get the delayed messages of that one', async () => {
    const { stream, like, partitioned } = names();
    const client = clientFor(partitioned);
    await emitted(client, stream, 1, 500);
    await client.close();
    // Another group has other keys, and may read it.
    await reading(like, { group: 'shipping' });
    await waitFor(() =>
      logged('warn', 'are due and cannot be published').some((line) => line.includes(like)),
    );
    expect(await redis.client.xlen(like)).toBe(0);
    await reading(stream, partitioned);
    await waitFor(() => redis.client.xlen(`{${like}}`));
  });

  it('costs nothing for others', async () => {
    const stream = freshName('orders');
    await firstValueFrom(clientFor().emit(stream, {}));
    expect((await keysOf(stream)).sort()).toEqual([stream, `stream:{${stream}}:published`]);
  });
});
