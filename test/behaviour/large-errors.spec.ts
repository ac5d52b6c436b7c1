import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { BadRequestException, type Type } from '@nestjs/common';

import {
  DeadLetterException,
  DeadLetters,
  type DeadLetter,
  type RedisStreamsModuleOptions,
} from '../../lib/index.js';
import { freshName } from '../support/fresh-name.js';
import { isCaughtUp } from '../support/group-state.js';
import { logged, recordedLog } from '../support/recorded-log.js';
import { redisForTests } from '../support/redis-for-tests.js';
import {
  closeAppsAfterEach,
  handlerOf,
  type StreamsApp,
  streamsApp,
} from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

closeAppsAfterEach();

const GROUP = 'billing';
const MB = 1024 * 1024;
/** All that a dead letter adds to its entry: 16 KiB, and some short fields. */
const MOST_ADDED = 17 * 1024;

const start = (
  connection: string,
  controllers: Type[],
  options: Partial<RedisStreamsModuleOptions> = {},
): Promise<StreamsApp> =>
  streamsApp({ connection, group: GROUP, retry: { maxAttempts: 1 }, ...options }, { controllers });

const letterOf = async ({ app }: StreamsApp, stream: string): Promise<DeadLetter> => {
  const deadLetters = app.get(DeadLetters);
  await waitFor(async () => (await deadLetters.count({ stream })) > 0);
  const [letter] = await deadLetters.list({ stream });
  if (letter === undefined) throw new Error('It is gone');
  return letter;
};

describe('an error of any size', () => {
  const redis = redisForTests();

  const large = 'ü'.repeat(8 * MB);
  it.each<[string, () => Error, string[]]>([
    ['message', () => new RangeError(large), ['message']],
    ['cause', () => new Error('no', { cause: new Error(large) }), []],
    ['reason', () => new DeadLetterException(large), ['reason', 'message']],
    ['name', () => Object.assign(new Error('no'), { name: large }), ['name']],
    ['stack', () => Object.assign(new Error('no'), { stack: large }), ['stack']],
    ['response', () => new BadRequestException({ fields: [large, large] }), ['details']],
    [
      'all of it',
      () =>
        Object.assign(new DeadLetterException(large), {
          name: large,
          stack: 'x'.repeat(8 * MB),
          cause: new AggregateError(Array.from({ length: 500 }, () => new Error(large))),
          getError: () => ({ large }),
        }),
      ['reason', 'name', 'message', 'stack', 'causes', 'details'],
    ],
  ])('keeps 16 KiB in its dead letter, which says what was cut: its %s', async (_, make, cut) => {
    const stream = freshName('orders');
    const error = make();
    const app = await start(redis.url, [
      handlerOf(stream, (n) => {
        if (n === 1) throw error;
      }),
    ]);
    await app.emit(stream, 1);
    await app.emit(stream, 2);
    const letter = await letterOf(app, stream);
    expect(letter.payload).toBe(1);
    expect([...letter.cut].sort()).toEqual(cut.sort());
    const key = `stream:{${stream}}:group:${GROUP}:dead-letters`;
    const [entry] = await redis.client.xrange(key, '-', '+');
    const fields = entry?.[1] ?? [];
    expect(Buffer.byteLength(fields.join(''))).toBeLessThan(MOST_ADDED);
    await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
    expect(app.monitor.getStats().counts).toMatchObject({ handled: 1, deadLettered: 1 });
    const ours = recordedLog.lines.filter(({ text }) => text.includes(stream));
    for (const { text } of ours) expect(Buffer.byteLength(text)).toBeLessThan(6_000);
  });
});

describe('what an error says', () => {
  const redis = redisForTests();

  it('is in the dead letter and in the log: its class, its causes, and the faults that ValidationPipe found', async () => {
    const stream = freshName('orders');
    class OrderError extends Error {}
    const invalid = new BadRequestException(['item must be text', 'count must be a number']);
    const app = await start(redis.url, [
      handlerOf(stream, () => {
        throw new OrderError('cannot be taken', { cause: invalid });
      }),
      handlerOf(`${stream}-checked`, () => {
        // As ValidationPipe does.
        throw invalid;
      }),
    ]);
    await app.emit(stream, 1);
    await app.emit(`${stream}-checked`, 1);
    const { error } = await letterOf(app, stream);
    expect(error).toMatchObject({
      name: 'OrderError',
      message: 'cannot be taken',
      causes: 'caused by BadRequestException: Bad Request Exception',
    });
    expect(logged('error', `"${stream}"`)[0]).toContain(
      'OrderError: cannot be taken; caused by BadRequestException',
    );
    const checked = await letterOf(app, `${stream}-checked`);
    expect(JSON.parse(checked.error?.details ?? '')).toMatchObject({
      message: ['item must be text', 'count must be a number'],
    });
    expect(logged('error', `"${stream}-checked"`)[0]).toContain(
      '(item must be text; count must be a number)',
    );
  });
});

describe('a dead letter that Redis refuses for its size', () => {
  const redis = redisForTests({ args: [] });
  beforeEach(() => redis.client.config('SET', 'proto-max-bulk-len', '512mb'));
  afterEach(() => redis.client.config('SET', 'proto-max-bulk-len', '512mb'));

  const modes: {
    mode: string;
    options?: Partial<RedisStreamsModuleOptions>;
    partitions?: number;
  }[] = [
    { mode: 'at least once' },
    { mode: 'dedup: false', options: { dedup: false } },
    { mode: 'at most once', options: { delivery: 'at-most-once' } },
    { mode: 'partitions', partitions: 2 },
  ];

  it.each(modes)(
    'is written without what is large, and says so; others go on: $mode',
    async ({ options, partitions }) => {
      const stream = freshName('orders');
      const handled: unknown[] = [];
      const app = await start(
        redis.url,
        [
          handlerOf<string>(stream, async (payload) => {
            if (payload.length > 10) {
              // The least that Redis can be set to. It took more when the message was published.
              await redis.client.config('SET', 'proto-max-bulk-len', '1mb');
              throw new DeadLetterException('too large for us');
            }
            handled.push(payload);
          }),
        ],
        {
          ...options,
          maxPayloadBytes: 4 * MB,
          ...(partitions === undefined ? {} : { streams: { [stream]: { partitions } } }),
        },
      );
      await app.emit(stream, 'x'.repeat(2 * MB));
      const letter = await letterOf(app, stream);
      expect(letter).toMatchObject({ reason: 'too large for us', attempts: 1, payload: undefined });
      expect(letter.cut).toEqual(['fields', 'stack']);
      expect(letter.fields.toString()).not.toContain('xxx');
      expect(letter.fields.toString()).toContain(stream);
      const isSaid = (line: string): boolean =>
        line.includes('its dead letter has no values of more than');
      await waitFor(() => logged('error', `"${stream}"`).some(isSaid));
      await app.emit(stream, 'small');
      await waitFor(() => handled.length === 1);
      // What was left out is still in the stream.
      const [place] = await redis.client.keys(`*${stream}*:group:*:dead-letters`);
      expect(place).toBeDefined();
    },
  );
});
