import { describe, expect, it } from '@jest/globals';

import { freshName } from '../support/fresh-name.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach, handlerOf, streamsApp } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
closeAppsAfterEach();

const groupOf = async (stream: string, group: string): Promise<Record<string, unknown>> => {
  const rows = (await redis.client.xinfo('GROUPS', stream)) as unknown[][];
  const all = rows.map((row) =>
    Object.fromEntries(
      row.map((value, at) => [value, row[at + 1]]).filter((_, at) => at % 2 === 0),
    ),
  );
  return all.find(({ name }) => name === group) ?? {};
};

describe('groups', () => {
  it('two groups each get every message', async () => {
    const stream = freshName('orders');
    const billing: unknown[] = [];
    const shipping: unknown[] = [];
    const options = { connection: redis.url };
    const app = await streamsApp(
      { ...options, group: 'billing' },
      { controllers: [handlerOf(stream, (data) => billing.push(data))] },
    );
    await streamsApp(
      { ...options, group: 'shipping' },
      { controllers: [handlerOf(stream, (data) => shipping.push(data))] },
    );
    for (let n = 0; n < 20; n++) await app.emit(stream, { n });
    const all = Array.from({ length: 20 }, (_, n) => ({ n }));
    await waitFor(() => billing.length === 20 && shipping.length === 20);
    expect(billing).toEqual(all);
    expect(shipping).toEqual(all);
    await waitFor(async () => (await groupOf(stream, 'billing'))['pending'] === 0);
    await waitFor(async () => (await groupOf(stream, 'shipping'))['pending'] === 0);
    expect(await redis.client.zcard(`stream:{${stream}}:group:billing:processed`)).toBe(20);
  });
});
