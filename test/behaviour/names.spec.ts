import { describe, expect, it } from '@jest/globals';
import { Controller, type Type } from '@nestjs/common';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import { firstValueFrom } from 'rxjs';

import {
  DeadLetters,
  InvalidOptionsError,
  MessageEncodingError,
  RedisStreamsContext,
  RedisStreamsRecordBuilder,
  type RedisStreamsModuleOptions,
  subscription,
  type SubscriptionOptions,
} from '../../lib/index.js';
import { freshName } from '../support/fresh-name.js';
import { groupState, isCaughtUp, pendingEntries } from '../support/group-state.js';
import { redisForTests } from '../support/redis-for-tests.js';
import {
  closeAppsAfterEach,
  handlerOf,
  type StreamsApp,
  streamsApp,
} from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
closeAppsAfterEach();

const GROUP = 'billing';
const CREATED = 'order.created';
const PAID = 'order.paid';

const start = (
  controllers: Type[],
  options?: Partial<RedisStreamsModuleOptions>,
): Promise<StreamsApp> =>
  streamsApp({ connection: redis.url, group: GROUP, ...options }, { controllers });

/** A controller with one handler for a pattern, or for a list of patterns. */
function handlerFor(
  pattern: unknown,
  handle: (data: string, context: RedisStreamsContext) => unknown,
  options?: SubscriptionOptions,
): Type {
  @Controller()
  class NamedController {
    @EventPattern(pattern, subscription(options))
    on(@Payload() data: string, @Ctx() context: RedisStreamsContext): unknown {
      return handle(data, context);
    }
  }
  return NamedController;
}

const lettersOf = ({ app }: StreamsApp): DeadLetters => app.get(DeadLetters);
/** For patterns that the types would refuse. */
const emit = (app: StreamsApp, pattern: unknown, data: unknown) =>
  firstValueFrom(app.client.emit(pattern, data));
const caughtUp = (stream: string) => isCaughtUp(redis.client, stream, GROUP);
const inLedger = async (stream: string, messageId: string): Promise<boolean> =>
  (await redis.client.zscore(`stream:{${stream}}:group:${GROUP}:processed`, messageId)) !== null;

describe('a handler for a name', () => {
  it('gets the messages of that name, and a handler for the stream gets them all, in one group', async () => {
    const stream = freshName('orders');
    const got: string[] = [];
    const app = await start([
      handlerFor({ stream, name: CREATED }, (data) => got.push(`created: ${data}`)),
      handlerOf<string>(stream, (data, context) => got.push(`${context.getName()}! ${data}`)),
      handlerFor({ name: PAID, stream }, (data) => got.push(`paid: ${data}`)),
    ]);
    await emit(app, { stream, name: CREATED }, 'a');
    await emit(app, { stream, name: PAID }, 'b');
    await emit(app, stream, 'c');
    await waitFor(() => caughtUp(stream));
    expect(got).toEqual(['created: a', `${CREATED}! a`, `${PAID}! b`, 'paid: b', `${stream}! c`]);
    const { streams, subscriptions, counts } = app.monitor.getStats();
    expect({ streams, subscriptions }).toEqual({ streams: [stream], subscriptions: 1 });
    expect(counts).toMatchObject({ handled: 3, unhandled: 0 });
    expect(await redis.client.xinfo('GROUPS', stream)).toHaveLength(1);
  });

  it('gets what another program published under that name', async () => {
    const stream = freshName('orders');
    const got: unknown[] = [];
    await start([handlerFor({ stream, name: CREATED }, (data) => got.push(data))]);
    await redis.client.xadd(stream, '*', 'name', CREATED, 'body', '{"id":7}');
    await waitFor(() => got.length === 1);
    expect(got).toEqual([{ id: 7 }]);
  });

  it('can be for many names, or without a name for the whole stream', async () => {
    const stream = freshName('orders');
    const got: string[] = [];
    const names = [CREATED, PAID].map((name) => ({ stream, name }));
    const app = await start([
      handlerFor(names, (data) => got.push(data)),
      handlerFor({ stream }, (data) => got.push(`all: ${data}`)),
    ]);
    await emit(app, { stream, name: PAID }, 'paid');
    await emit(app, { stream, name: 'order.lost' }, 'lost');
    await waitFor(() => caughtUp(stream));
    expect(got).toEqual(['paid', 'all: paid', 'all: lost']);
  });

  it('that fails has its message retried, and those of other names go on', async () => {
    const stream = freshName('orders');
    const got: string[] = [];
    const app = await start(
      [
        handlerFor({ stream, name: CREATED }, (_, context) => {
          got.push(`created ${context.getAttempt()}`);
          if (context.getAttempt() === 1) throw new Error('refused');
        }),
        handlerFor({ stream, name: PAID }, () => got.push('paid')),
      ],
      { retry: { backoff: { type: 'fixed', delayMs: 0 } } },
    );
    await emit(app, { stream, name: CREATED }, 'a');
    await emit(app, { stream, name: PAID }, 'b');
    await waitFor(() => caughtUp(stream));
    expect(got.sort()).toEqual(['created 1', 'created 2', 'paid']);
    expect(app.monitor.getStats().counts).toMatchObject({ handled: 2, retried: 1 });
  });
});

describe('handlers for one stream and different names', () => {
  it('that disagree on an option stop the app from starting', async () => {
    const stream = freshName('orders');
    const app = start([
      handlerFor({ stream, name: CREATED }, () => undefined, { concurrency: 2 }),
      handlerFor({ stream, name: PAID }, () => undefined, { concurrency: 3 }),
    ]);
    await expect(app).rejects.toThrow(InvalidOptionsError);
    await expect(app).rejects.toMatchObject({ path: 'subscription.concurrency' });
  });

  it('share the options that one of them sets', async () => {
    const stream = freshName('orders');
    const app = await start([
      handlerFor({ stream, name: CREATED }, () => undefined, { unhandled: 'dead-letter' }),
      handlerFor({ stream, name: PAID }, () => undefined, { handlers: 'all-at-once' }),
    ]);
    expect(app.server.subscriptions()).toMatchObject([
      { stream, options: { unhandled: 'dead-letter', handlers: 'all-at-once' } },
    ]);
  });
});

describe('a pattern', () => {
  it.each<[string, object, string]>([
    ['with a misspelt key', { stream: 'orders', nmae: CREATED }, 'pattern.nmae'],
    ['whose name is empty', { stream: 'orders', name: '' }, 'pattern.name'],
    ['whose name is no text', { stream: 'orders', name: /^order/ }, 'pattern.name'],
    ['whose stream is no text', { stream: 7, name: CREATED }, 'pattern.stream'],
  ])('%s stops the app from starting, and is named', async (_, pattern, path) => {
    const app = start([handlerFor(pattern, () => undefined)]);
    await expect(app).rejects.toThrow(InvalidOptionsError);
    await expect(app).rejects.toMatchObject({ path });
  });
});

describe('a message whose name no handler wants', () => {
  it('is acknowledged like a handled one, and counted', async () => {
    const stream = freshName('orders');
    const got: string[] = [];
    const app = await start([handlerFor({ stream, name: CREATED }, (data) => got.push(data))]);
    const lost = await emit(app, { stream, name: 'order.lost' }, 'lost');
    await emit(app, { stream, name: CREATED }, 'created');
    await waitFor(() => caughtUp(stream));
    expect(got).toEqual(['created']);
    expect(await inLedger(stream, lost.messageId)).toBe(true);
    expect(await redis.client.hlen(`stream:{${stream}}:group:${GROUP}:leases`)).toBe(0);
    expect(app.monitor.getStats().counts).toEqual({
      handled: 1,
      failed: 0,
      retried: 0,
      duplicate: 0,
      deadLettered: 0,
      unhandled: 1,
      abandoned: 0,
      lost: 0,
    });
  });

  it.each<[string, Partial<RedisStreamsModuleOptions>]>([
    ['at most once', { delivery: 'at-most-once' }],
    ['without a ledger', { dedup: false }],
  ])('is also acknowledged %s', async (_, options) => {
    const stream = freshName('orders');
    const app = await start([handlerFor({ stream, name: CREATED }, () => undefined)], options);
    await emit(app, stream, 'lost');
    await waitFor(() => app.monitor.getStats().counts.unhandled === 1);
    await waitFor(() => caughtUp(stream));
    expect(app.monitor.getStats().counts).toMatchObject({ handled: 0, deadLettered: 0 });
  });

  it('stays pending until its outcome is recorded', async () => {
    const stream = freshName('orders');
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const app = await start([handlerFor({ stream, name: CREATED }, () => held)]);
    await emit(app, { stream, name: CREATED }, 'slow');
    await waitFor(() => app.monitor.getStats().inFlight === 1);
    const { entryId } = await emit(app, stream, 'lost');
    await waitFor(async () => (await groupState(redis.client, stream, GROUP))?.pending === 2);
    const pending = await pendingEntries(redis.client, stream, GROUP);
    expect(pending.map(({ id }) => id)).toContain(entryId);
    release();
    await waitFor(() => caughtUp(stream));
    expect(app.monitor.getStats().counts).toMatchObject({ handled: 1, unhandled: 1 });
  });

  it.each<[string, Partial<RedisStreamsModuleOptions>]>([
    ['at least once', {}],
    ['at most once', { delivery: 'at-most-once' }],
    ['without a ledger', { dedup: false }],
  ])(
    'becomes a dead letter if the option says so, %s, and is handled once it is redriven to a handler',
    async (_, options) => {
      const stream = freshName('orders');
      const created = handlerFor({ stream, name: CREATED }, () => undefined);
      const before = await start([created], { ...options, unhandled: 'dead-letter' });
      const { messageId, entryId } = await emit(before, { stream, name: PAID }, 'paid');
      await waitFor(() => caughtUp(stream));
      const deadLetters = lettersOf(before);
      const [letter] = await waitFor(async () => {
        const letters = await deadLetters.list({ stream });
        return letters.length === 1 && letters;
      });
      expect(letter).toMatchObject({
        messageId,
        entryId,
        attempts: 0,
        name: PAID,
        payload: 'paid',
      });
      expect(letter?.reason).toBe(`no handler for the name "${PAID}"`);
      expect(letter?.error).toBeUndefined();
      expect(before.monitor.getStats().counts).toMatchObject({
        handled: 0,
        failed: 0,
        unhandled: 1,
        deadLettered: 1,
      });
      await before.close();

      const got: string[] = [];
      const after = await start(
        [created, handlerFor({ stream, name: PAID }, (data) => got.push(data))],
        options,
      );
      expect(await lettersOf(after).redrive({ stream })).toEqual({ redriven: 1 });
      // At-most-once removes the dead letter before the handler runs.
      await waitFor(() => got.length > 0);
      await waitFor(async () => (await lettersOf(after).count({ stream })) === 0);
      expect(got).toEqual(['paid']);
    },
  );

  it('becomes a dead letter for one pattern, and not for the others of the server', async () => {
    const [strict, lax] = [freshName('orders'), freshName('parcels')];
    const app = await start([
      handlerFor({ stream: strict, name: CREATED }, () => undefined, { unhandled: 'dead-letter' }),
      handlerFor({ stream: lax, name: CREATED }, () => undefined),
    ]);
    await emit(app, strict, 'a');
    await emit(app, lax, 'b');
    await waitFor(async () => (await caughtUp(strict)) && (await caughtUp(lax)));
    expect(await lettersOf(app).count({ stream: strict })).toBe(1);
    expect(await lettersOf(app).count({ stream: lax })).toBe(0);
  });
});

describe('emit with a name in its pattern', () => {
  it('publishes under that name; a record may have the same name, or none', async () => {
    const stream = freshName('orders');
    const names: string[] = [];
    const app = await start([handlerOf(stream, (_, context) => names.push(context.getName()))]);
    const record = () => new RedisStreamsRecordBuilder('a').setHeaders({ tenant: 'eu' });
    await emit(app, { stream, name: CREATED }, record().build());
    await emit(app, { stream, name: PAID }, record().setName(PAID).build());
    await emit(app, { stream }, record().setName('order.lost').build());
    await emit(app, { stream }, 'plain');
    await waitFor(() => caughtUp(stream));
    expect(names).toEqual([CREATED, PAID, 'order.lost', stream]);
  });

  it('with another name in its record is an error, and nothing is sent', async () => {
    const stream = freshName('orders');
    const app = await start([]);
    const record = new RedisStreamsRecordBuilder('a').setName(PAID).build();
    const sent = emit(app, { stream, name: CREATED }, record);
    await expect(sent).rejects.toThrow(MessageEncodingError);
    await expect(sent).rejects.toThrow(/"order.created" in the pattern and "order.paid"/);
    expect(await redis.client.exists(stream)).toBe(0);
  });

  it.each<[string, unknown, RegExp]>([
    ['has no keys', {}, /an object with 0 keys/],
    ['has a misspelt key', { stream: 'orders', nmae: CREATED }, /pattern\.nmae/],
    ['has an empty name', { stream: 'orders', name: '' }, /pattern\.name/],
    ['has a stream that is no text', { stream: 7 }, /pattern\.stream/],
    ['is not a finite number', Number.NaN, /a finite number/],
  ])('that %s is an error, and nothing is sent', async (_, pattern, says) => {
    const app = await start([]);
    const sent = emit(app, pattern, 'a');
    await expect(sent).rejects.toThrow(MessageEncodingError);
    await expect(sent).rejects.toThrow(says);
  });
});
