import { describe, expect, it } from '@jest/globals';
import { lastValueFrom } from 'rxjs';
import { z } from 'zod';

import {
  MessageEncodingError,
  MessageValidationError,
  RedisStreamsRecordBuilder,
} from '../../lib/index.js';
import { answeringController } from '../support/answering-controller.js';
import { clientsForTests } from '../support/clients-for-tests.js';
import { freshName } from '../support/fresh-name.js';
import { isCaughtUp } from '../support/group-state.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach, streamsApp } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
closeAppsAfterEach();
const { clientFor } = clientsForTests(redis);

const GROUP = 'pricing';
const Item = z.object({ quantity: z.number().min(1).default(1) });

/** The same schema, with a promise. */
const LateItem = Item.refine(async () => Promise.resolve(true));

const failure = (asked: Promise<unknown>): Promise<unknown> =>
  asked.then(
    (value) => `no failure: ${String(value)}`,
    (error: unknown) => error,
  );

describe.each([
  ['that answers at once', Item],
  ['that answers later', LateItem],
])('a request on a stream with a schema %s', (_, schema) => {
  const answering = async (stream: string, got: unknown[]) =>
    streamsApp(
      { connection: redis.url, group: GROUP, streams: { [stream]: { schema } } },
      {
        controllers: [
          answeringController(stream, (item) => {
            got.push(item);
            return 'answer';
          }),
        ],
      },
    );

  it("reaches its handler as the schema's output", async () => {
    const [stream, got] = [freshName('quote'), [] as unknown[]];
    await answering(stream, got);
    await expect(lastValueFrom(clientFor().send(stream, {}))).resolves.toBe('answer');
    expect(got).toEqual([{ quantity: 1 }]);
  });

  it('that does not fit is an error for its caller, is not run, and is no dead letter', async () => {
    const [stream, got] = [freshName('quote'), [] as unknown[]];
    const { monitor } = await answering(stream, got);
    const error = await failure(lastValueFrom(clientFor().send(stream, { quantity: 0 })));
    expect(error).toMatchObject({
      status: 'error',
      message: expect.stringContaining('quantity'),
    });
    await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
    expect(got).toEqual([]);
    expect(await redis.client.exists(`stream:{${stream}}:group:${GROUP}:dead-letters`)).toBe(0);
    expect(monitor.getStats().counts).toMatchObject({ failed: 0, deadLettered: 0 });
  });

  it('that does not fit is not sent by a client that knows the schema', async () => {
    const stream = freshName('quote');
    const client = clientFor({ streams: { [stream]: { schema } } });
    const error = await failure(lastValueFrom(client.send(stream, { quantity: 0 })));
    expect(error).toBeInstanceOf(MessageValidationError);
    expect(await redis.client.exists(stream)).toBe(0);
  });
});

describe('a request', () => {
  it('with a delay is a clear error, and nothing is sent', async () => {
    const stream = freshName('quote');
    const record = new RedisStreamsRecordBuilder({ quantity: 1 }).setDelayMs(1_000).build();
    const error = await failure(lastValueFrom(clientFor().send(stream, record)));
    expect(error).toBeInstanceOf(MessageEncodingError);
    expect(String(error)).toContain('setDelayMs()');
    expect(await redis.client.exists(stream, `stream:{${stream}}:delayed`)).toBe(0);
  });
});
