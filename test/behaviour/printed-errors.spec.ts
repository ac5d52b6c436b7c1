import { inspect } from 'node:util';

import { describe, expect, it } from '@jest/globals';
import { firstValueFrom } from 'rxjs';

import { DeadLetters, LedgerMaintenanceJob } from '../../lib/index.js';
import { clientsForTests } from '../support/clients-for-tests.js';
import { freshName } from '../support/fresh-name.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach, handlerOf, streamsApp } from '../support/streams-app.js';

const redis = redisForTests();
closeAppsAfterEach();
const { clientFor } = clientsForTests(redis);

const SECRET = 'body that no log may show';
const GROUP = 'billing';

/** What Node prints of an error that nobody caught. */
async function printed(call: Promise<unknown>): Promise<string> {
  const error: unknown = await call.then(
    () => new Error('it did not fail'),
    (thrown: unknown) => thrown,
  );
  return inspect(error, { depth: 10, colors: false });
}

const CALLS: Record<string, (stream: string) => Promise<unknown>> = {
  'a server that starts': (stream) =>
    streamsApp(
      { connection: redis.url, group: GROUP },
      { controllers: [handlerOf(stream, () => undefined)] },
    ),
  'emit()': (stream) => firstValueFrom(clientFor().emit(stream, { SECRET })),
  'emit() without publishDedup': (stream) =>
    firstValueFrom(clientFor({ publishDedup: false }).emit(stream, { SECRET })),
  'send()': (stream) => firstValueFrom(clientFor().send(stream, { SECRET })),
  'emitBatch()': (stream) => firstValueFrom(clientFor().emitBatch(stream, [{ SECRET }])),
  'a list of dead letters': async (stream) => {
    await redis.client.set(`stream:{${stream}}:group:${GROUP}:dead-letters`, 'x');
    const deadLetters = new DeadLetters({ connection: redis.url, group: GROUP });
    return deadLetters.list({ stream }).finally(() => deadLetters.onApplicationShutdown());
  },
  'a job': async (stream) => {
    const other = freshName('other');
    await redis.client.set(`stream:{${other}}:group:${GROUP}:processed`, 'x');
    await redis.client.del(stream);
    const { app } = await streamsApp(
      { connection: redis.url, group: GROUP },
      { controllers: [handlerOf(other, () => undefined)] },
    );
    return app.get(LedgerMaintenanceJob).run();
  },
};

describe('an error because a key has another type', () => {
  it.each(Object.keys(CALLS))('of %s is printed without scripts and bodies', async (call) => {
    const stream = freshName('orders');
    await redis.client.set(stream, 'no stream');
    const text = await printed(CALLS[call]?.(stream) ?? Promise.resolve());
    expect(text).toContain('WRONGTYPE');
    expect(text).not.toContain('redis.call');
    expect(text).not.toContain(SECRET);
    expect(text).not.toContain('args: [\n');
  });
});
