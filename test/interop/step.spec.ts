import { expect, it } from '@jest/globals';

import { FieldCodec } from '../../lib/index.js';
import { freshName } from '../support/fresh-name.js';
import { groupState, isCaughtUp } from '../support/group-state.js';
import { lastFields, recordingApp } from '../support/recording-app.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';
import { python, type Run, withPython } from './partner.js';

withPython()('STEP, from a program in Python', () => {
  const redis = redisForTests();
  closeAppsAfterEach();
  const step: Run = (words, lines) => python('step.py', redis.url)(words, lines);

  const TEXTS = ['Hello, Nest!', '', 'Köln 🚆', '{"a": 1}', 'two\r\nlines', 'x'.repeat(100_000)];
  const TTL_MS = 100_000;
  const reading = (stream: string) =>
    recordingApp(stream, {
      connection: redis.url,
      group: 'billing',
      startFrom: 'beginning',
      streams: {
        [stream]: {
          codec: new FieldCodec({ field: 'data', payload: 'text' }),
          maxLength: 100,
          ttlMs: TTL_MS,
          force: true,
        },
      },
    });

  it('writes messages that are read here, and it keeps the same length and time to live', async () => {
    const stream = freshName('data');
    await step(['publish', stream, 'data', '100', '50'], TEXTS);
    const { handled } = await reading(stream);
    await waitFor(() => isCaughtUp(redis.client, stream, 'billing'));
    expect(handled.map(({ payload }) => payload)).toEqual(TEXTS);
    // The server renews the time to live of a stream that it only reads: 50 s were set.
    await waitFor(async () => (await redis.client.pttl(stream)) > 50_000);
  });

  it('reads what is published here, which is its one field, and the stream is trimmed and expires', async () => {
    const stream = freshName('data');
    const { emit } = await reading(stream);
    for (const text of TEXTS) {
      await emit(stream, text);
      expect(await lastFields(redis.client, stream)).toEqual([
        Buffer.from('data'),
        Buffer.from(text),
      ]);
    }
    const count = String(TEXTS.length);
    expect(await step(['receive', stream, 'data', 'step', count, '200'])).toEqual(TEXTS);
    expect(await groupState(redis.client, stream, 'step')).toMatchObject({ pending: 0 });
    await emit(stream, 'the last to renew it decides');
    expect(await redis.client.pttl(stream)).toBeLessThanOrEqual(TTL_MS);
    await Promise.all(Array.from({ length: 400 }, (_, n) => emit(stream, String(n))));
    expect(await redis.client.xlen(stream)).toBeLessThan(300);
  });
});
