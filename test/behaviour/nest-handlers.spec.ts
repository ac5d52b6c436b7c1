import { describe, expect, it } from '@jest/globals';
import {
  type ArgumentMetadata,
  BadRequestException,
  type CallHandler,
  type CanActivate,
  Catch,
  Controller,
  type ExceptionFilter,
  type ExecutionContext,
  type INestApplication,
  Inject,
  Injectable,
  type NestInterceptor,
  type PipeTransform,
  type Provider,
  Scope,
  type Type,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
} from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR, APP_PIPE, REQUEST } from '@nestjs/core';
import { Ctx, EventPattern, Payload, type RequestContext } from '@nestjs/microservices';
import {
  concat,
  EMPTY,
  from,
  map,
  mergeMap,
  type Observable,
  of,
  Subject,
  tap,
  throwError,
  timer,
} from 'rxjs';

import {
  type PublishReceipt,
  RedisStreamsContext,
  RedisStreamsRecordBuilder,
  subscription,
} from '../../lib/index.js';
import { freshName, freshPrefix } from '../support/fresh-name.js';
import { pendingEntries } from '../support/group-state.js';
import { logged } from '../support/recorded-log.js';
import { redisForTests } from '../support/redis-for-tests.js';
import {
  closeAppsAfterEach,
  handlerOf,
  type StreamsApp,
  streamsApp,
  type StreamsAppParts,
} from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
closeAppsAfterEach();

const GROUP = 'billing';
type Outcome = 'handled' | 'pending';

const start = (parts: StreamsAppParts): Promise<StreamsApp> =>
  streamsApp({ connection: redis.url, group: GROUP }, parts);

/** The state of a message in Redis: in the ledger and acknowledged, or neither. */
async function outcomeOf({ stream, entryId, messageId }: PublishReceipt): Promise<Outcome> {
  const pending = await pendingEntries(redis.client, stream, GROUP);
  const score = await redis.client.zscore(`stream:{${stream}}:group:${GROUP}:processed`, messageId);
  const isPending = pending.some(({ id }) => id === entryId);
  expect(score === null).toBe(isPending);
  return isPending ? 'pending' : 'handled';
}

/** Publishes, waits until all messages were run, closes, and reports how each message ended. */
async function outcomes(
  app: StreamsApp,
  stream: string,
  ...payloads: readonly unknown[]
): Promise<Outcome[]> {
  const receipts: PublishReceipt[] = [];
  for (const payload of payloads) receipts.push(await app.emit(stream, payload));
  await waitFor(() => {
    const { handled, failed } = app.monitor.getStats().counts;
    return handled + failed === receipts.length;
  });
  await app.close();
  return Promise.all(receipts.map(outcomeOf));
}

describe('a handler', () => {
  it.each<[string, () => unknown]>([
    ['returns nothing', () => undefined],
    ['returns a value', () => 7],
    ['returns a promise', () => Promise.resolve('done')],
    ['returns an Observable of one value', () => of(1)],
    ['returns an Observable of many values', () => from([1, 2, 3])],
    ['returns an Observable of nothing', () => EMPTY],
    ['returns an Observable that takes its time', () => timer(30)],
    ['promises an Observable', () => Promise.resolve(of(1, 2))],
  ])('that %s has handled the message', async (_, handle) => {
    const stream = freshName('orders');
    const app = await start({ controllers: [handlerOf(stream, handle)] });
    expect(await outcomes(app, stream, { n: 1 })).toEqual(['handled']);
  });

  it.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('refused');
      },
    ],
    ['rejects', () => Promise.reject(new Error('refused'))],
    ['returns an Observable that fails', () => throwError(() => new Error('refused'))],
    [
      'returns an Observable that fails after values',
      () => concat(of(1, 2), timer(30).pipe(mergeMap(() => throwError(() => new Error('late'))))),
    ],
    [
      'promises an Observable that fails',
      () => Promise.resolve(throwError(() => new Error('refused'))),
    ],
    [
      'throws what is no error',
      () => {
        throw undefined;
      },
    ],
  ])('that %s leaves the message pending, and the next one is handled', async (_, handle) => {
    const stream = freshName('orders');
    const app = await start({
      controllers: [handlerOf<{ ok?: boolean }>(stream, ({ ok }) => (ok ? 'done' : handle()))],
    });
    expect(await outcomes(app, stream, { n: 1 }, { ok: true })).toEqual(['pending', 'handled']);
  });

  it('that returns an Observable: the message is acknowledged when it completes, not at a value', async () => {
    const stream = freshName('orders');
    const values = new Subject<number>();
    const app = await start({ controllers: [handlerOf(stream, () => values)] });
    const first = await app.emit(stream, { n: 1 });
    await waitFor(() => values.observed);
    values.next(1);
    values.next(2);
    // Sent after it on the same connection to Redis: what the values had triggered would be done by now.
    await app.emit(freshName('other'), {});
    expect(app.monitor.getStats().inFlight).toBe(1);
    expect(await outcomeOf(first)).toBe('pending');
    values.complete();
    await waitFor(async () => (await outcomeOf(first)) === 'handled');
  });

  it('gets the payload, whole or one property of it', async () => {
    const stream = freshName('orders');
    const got: unknown[] = [];
    @Controller()
    class Orders {
      @EventPattern<string>(stream)
      on(@Payload() order: unknown, @Payload('id') id: unknown): void {
        got.push(order, id);
      }
    }
    const app = await start({ controllers: [Orders] });
    await outcomes(app, stream, { id: 'o-1', lines: [1, 2] });
    expect(got).toEqual([{ id: 'o-1', lines: [1, 2] }, 'o-1']);
  });

  it('can be for many streams', async () => {
    const streams = [freshName('orders'), freshName('parcels')];
    const got: string[] = [];
    @Controller()
    class Both {
      @EventPattern(streams)
      on(@Payload() name: string): void {
        got.push(name);
      }
    }
    const app = await start({ controllers: [Both] });
    for (const stream of streams) await app.emit(stream, stream);
    await waitFor(() => got.length === 2);
    expect(new Set(got)).toEqual(new Set(streams));
  });
});

describe('two handlers of one stream', () => {
  it('both run for every message, in one controller and in two', async () => {
    const stream = freshName('orders');
    const ran: string[] = [];
    @Controller()
    class Orders {
      @EventPattern<string>(stream)
      charge(@Payload() order: string): void {
        ran.push(`charge ${order}`);
      }
      @EventPattern<string>(stream)
      async ship(@Payload() order: string): Promise<void> {
        ran.push(`ship ${order}`);
      }
    }
    const app = await start({
      controllers: [Orders, handlerOf(stream, (order) => of(ran.push(`audit ${order}`)))],
    });
    expect(await outcomes(app, stream, 'a', 'b')).toEqual(['handled', 'handled']);
    expect(ran).toEqual(['charge a', 'ship a', 'audit a', 'charge b', 'ship b', 'audit b']);
  });

  it.each(['first', 'second'])(
    'of which the %s fails late: the other has run, and the message stays pending',
    async (failing) => {
      const stream = freshName('orders');
      const ran: string[] = [];
      const handler = (name: string): Type =>
        handlerOf(stream, () => {
          ran.push(name);
          if (name !== failing) return of(1, 2);
          return concat(of(1), timer(30).pipe(mergeMap(() => throwError(() => new Error('late')))));
        });
      const app = await start({ controllers: [handler('first'), handler('second')] });
      expect(await outcomes(app, stream, { n: 1 })).toEqual(['pending']);
      expect(ran).toEqual(['first', 'second']);
      expect(app.monitor.getStats().counts).toMatchObject({ handled: 0, failed: 1 });
    },
  );

  it('of which one has no value and ends early do not end the other', async () => {
    const stream = freshName('orders');
    const slow = new Subject<void>();
    const app = await start({
      controllers: [handlerOf(stream, () => EMPTY), handlerOf(stream, () => slow)],
    });
    const receipt = await app.emit(stream, { n: 1 });
    await waitFor(() => slow.observed);
    expect(await outcomeOf(receipt)).toBe('pending');
    slow.error(new Error('late'));
    await waitFor(() => app.monitor.getStats().counts.failed === 1);
    await app.close();
    expect(await outcomeOf(receipt)).toBe('pending');
  });
});

describe('a guard', () => {
  @Injectable()
  class PaidOnly implements CanActivate {
    canActivate(context: ExecutionContext): boolean {
      const rpc = context.switchToRpc();
      const { paid } = rpc.getData<{ paid: boolean }>();
      return paid && rpc.getContext<unknown>() instanceof RedisStreamsContext;
    }
  }

  it('lets through what it allows; what it refuses is not run, and stays pending', async () => {
    const stream = freshName('orders');
    const got: unknown[] = [];
    @Controller()
    @UseGuards(PaidOnly)
    class Orders {
      @EventPattern<string>(stream)
      on(@Payload() order: unknown): void {
        got.push(order);
      }
    }
    const app = await start({ controllers: [Orders] });
    expect(await outcomes(app, stream, { paid: true }, { paid: false }, { paid: true })).toEqual([
      'handled',
      'pending',
      'handled',
    ]);
    expect(got).toEqual([{ paid: true }, { paid: true }]);
  });
});

describe('a pipe', () => {
  @Injectable()
  class ValidAmount implements PipeTransform {
    transform(order: { amount?: unknown }): unknown {
      if (typeof order.amount !== 'number') throw new BadRequestException('amount: a number');
      return order;
    }
  }
  class Doubling implements PipeTransform {
    async transform({ amount }: { amount: number }): Promise<unknown> {
      return { amount: amount * 2 };
    }
  }
  class Noting implements PipeTransform {
    readonly types = new Set<string>();
    transform(value: unknown, { type }: ArgumentMetadata): unknown {
      this.types.add(`${type} ${value instanceof RedisStreamsContext ? 'context' : 'payload'}`);
      return value;
    }
  }

  it('that refuses a message keeps it from the handler, and leaves it pending', async () => {
    const stream = freshName('orders');
    const got: unknown[] = [];
    @Controller()
    class Orders {
      @UsePipes(ValidAmount)
      @EventPattern<string>(stream)
      on(@Payload() order: unknown): void {
        got.push(order);
      }
    }
    const app = await start({ controllers: [Orders] });
    expect(await outcomes(app, stream, { amount: 'much' }, { amount: 4 })).toEqual([
      'pending',
      'handled',
    ]);
    expect(got).toEqual([{ amount: 4 }]);
  });

  it('that transforms passes its result to the handler', async () => {
    const stream = freshName('orders');
    const got: unknown[] = [];
    @Controller()
    class Orders {
      @EventPattern<string>(stream, subscription())
      on(@Payload(ValidAmount, new Doubling()) order: unknown, @Ctx() context: object): void {
        got.push(order, context);
      }
    }
    const app = await start({ controllers: [Orders] });
    expect(await outcomes(app, stream, { amount: 4 })).toEqual(['handled']);
    expect(got).toEqual([{ amount: 8 }, expect.any(RedisStreamsContext)]);
  });

  it('of a whole handler can tell the payload from the context, as with other transports', async () => {
    const stream = freshName('orders');
    const pipe = new Noting();
    @Controller()
    @UsePipes(pipe)
    class Orders {
      @EventPattern<string>(stream, subscription())
      on(@Payload() order: unknown, @Ctx() context: RedisStreamsContext): void {
        if (context.getStream() !== stream) throw new Error(String(order));
      }
    }
    const app = await start({ controllers: [Orders] });
    expect(await outcomes(app, stream, { amount: 4 })).toEqual(['handled']);
    expect([...pipe.types].sort()).toEqual(['body payload', 'custom context']);
  });
});

describe('an interceptor', () => {
  class Recording implements NestInterceptor {
    constructor(private readonly seen: string[]) {}
    intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
      this.seen.push(`before ${context.switchToRpc().getContext<RedisStreamsContext>().getName()}`);
      return next.handle().pipe(
        map((value) => `${value}!`),
        tap((value) => this.seen.push(`after ${value}`)),
      );
    }
  }
  class Skipping implements NestInterceptor {
    intercept(): Observable<unknown> {
      return of('skipped');
    }
  }
  class Failing implements NestInterceptor {
    intercept(_: ExecutionContext, next: CallHandler): Observable<unknown> {
      return next.handle().pipe(mergeMap(() => throwError(() => new Error('too late'))));
    }
  }

  /** An app with one handler behind `interceptor`, and what that handler received. */
  async function behind(stream: string, interceptor: NestInterceptor, got: string[] = []) {
    @Controller()
    @UseInterceptors(interceptor)
    class Orders {
      @EventPattern<string>(stream)
      on(@Payload() order: string): string {
        got.push(`run ${order}`);
        return order;
      }
    }
    return start({ controllers: [Orders] });
  }

  it('runs around the handler', async () => {
    const stream = freshName('orders');
    const seen: string[] = [];
    const app = await behind(stream, new Recording(seen), seen);
    expect(await outcomes(app, stream, 'a')).toEqual(['handled']);
    expect(seen).toEqual([`before ${stream}`, 'run a', 'after a!']);
  });

  it('that answers instead of the handler has handled the message', async () => {
    const stream = freshName('orders');
    const got: string[] = [];
    const app = await behind(stream, new Skipping(), got);
    expect(await outcomes(app, stream, 'a')).toEqual(['handled']);
    expect(got).toEqual([]);
  });

  it('that fails after the handler leaves the message pending', async () => {
    const stream = freshName('orders');
    const got: string[] = [];
    const app = await behind(stream, new Failing(), got);
    expect(await outcomes(app, stream, 'a')).toEqual(['pending']);
    expect(got).toEqual(['run a']);
  });
});

describe('an exception filter', () => {
  class Refused extends Error {}
  @Catch(Refused)
  class Swallowing implements ExceptionFilter {
    readonly caught: unknown[] = [];
    constructor(private readonly answer: () => unknown) {}
    catch(error: unknown): unknown {
      this.caught.push(error);
      return this.answer();
    }
  }

  async function behind(stream: string, filter: ExceptionFilter) {
    @Controller()
    @UseFilters(filter)
    class Orders {
      @EventPattern<string>(stream)
      async on(@Payload() kind: string): Promise<void> {
        throw kind === 'refused' ? new Refused('no such customer') : new TypeError('a bug');
      }
    }
    return start({ controllers: [Orders] });
  }

  it.each<[string, () => unknown]>([
    ['a value', () => 'noted'],
    ['an Observable', () => of('noted')],
    ['an Observable of nothing', () => EMPTY],
    ['a promise', () => Promise.resolve()],
  ])('that answers with %s makes the message handled', async (_, answer) => {
    const stream = freshName('orders');
    const filter = new Swallowing(answer);
    const app = await behind(stream, filter);
    expect(await outcomes(app, stream, 'refused')).toEqual(['handled']);
    expect(filter.caught).toEqual([expect.any(Refused)]);
    expect(app.monitor.getStats().counts).toMatchObject({ handled: 1, failed: 0 });
  });

  it('that returns nothing at all has not answered, for Nest: the message stays pending', async () => {
    const stream = freshName('orders');
    const filter = new Swallowing(() => undefined);
    const app = await behind(stream, filter);
    expect(await outcomes(app, stream, 'refused')).toEqual(['pending']);
    expect(filter.caught).toHaveLength(1);
  });

  it('that passes the error on leaves the message pending, like one that does not apply', async () => {
    const stream = freshName('orders');
    const filter = new Swallowing(() => throwError(() => new Error('still wrong')));
    const app = await behind(stream, filter);
    expect(await outcomes(app, stream, 'refused', 'a bug')).toEqual(['pending', 'pending']);
    expect(filter.caught).toHaveLength(1);
    // The logged error, and the one that decides, is what was thrown first, not what was made of it.
    expect(logged('warn', stream)[0]).not.toContain('still wrong');
  });

  it('that throws leaves the message pending', async () => {
    const stream = freshName('orders');
    const app = await behind(
      stream,
      new Swallowing(() => {
        throw new Error('the filter is wrong too');
      }),
    );
    expect(await outcomes(app, stream, 'refused')).toEqual(['pending']);
  });
});

describe('global enhancers', () => {
  /** One of each kind, which all record their calls; the filter swallows the error. */
  function noting() {
    const asked = new Set<string>();
    const guard: CanActivate = {
      canActivate: () => {
        asked.add('guard');
        return true;
      },
    };
    const pipe: PipeTransform = {
      transform: (value: unknown) => {
        asked.add('pipe');
        return value;
      },
    };
    const interceptor: NestInterceptor = {
      intercept: (_, next) => {
        asked.add('interceptor');
        return next.handle();
      },
    };
    @Catch()
    class Filter implements ExceptionFilter {
      catch(): Observable<unknown> {
        asked.add('filter');
        return EMPTY;
      }
    }
    return { asked, guard, pipe, interceptor, filter: new Filter() };
  }
  type Noting = ReturnType<typeof noting>;

  const ways: Record<string, (parts: Noting) => Partial<StreamsAppParts>> = {
    'as APP_* providers': ({ guard, pipe, interceptor, filter }) => ({
      providers: [
        { provide: APP_GUARD, useValue: guard },
        { provide: APP_PIPE, useValue: pipe },
        { provide: APP_INTERCEPTOR, useValue: interceptor },
        { provide: APP_FILTER, useValue: filter },
      ] satisfies Provider[],
    }),
    'with useGlobal*()': ({ guard, pipe, interceptor, filter }) => ({
      before: (app: INestApplication) =>
        app
          .useGlobalGuards(guard)
          .useGlobalPipes(pipe)
          .useGlobalInterceptors(interceptor)
          .useGlobalFilters(filter),
    }),
  };

  describe.each(Object.keys(ways))('%s', (way) => {
    const failing = (stream: string): Type =>
      handlerOf(stream, () => {
        throw new Error('refused');
      });

    it('are called if the app config is inherited', async () => {
      const stream = freshName('orders');
      const parts = noting();
      const app = await start({
        ...ways[way]?.(parts),
        controllers: [failing(stream)],
        inheritAppConfig: true,
      });
      expect(await outcomes(app, stream, { n: 1 })).toEqual(['handled']);
      expect([...parts.asked]).toEqual(['guard', 'interceptor', 'pipe', 'filter']);
    });

    it('are not called if it is not', async () => {
      const stream = freshName('orders');
      const parts = noting();
      const app = await start({
        ...ways[way]?.(parts),
        controllers: [failing(stream)],
        inheritAppConfig: false,
      });
      expect(await outcomes(app, stream, { n: 1 })).toEqual(['pending']);
      expect([...parts.asked]).toEqual([]);
    });
  });
});

describe('a request-scoped controller', () => {
  it('is created for each message, with its context', async () => {
    const stream = freshName('orders');
    const made = new Set<unknown>();
    const seen: unknown[] = [];
    @Injectable({ scope: Scope.REQUEST })
    class Tenant {
      constructor(
        @Inject(REQUEST) readonly request: RequestContext<{ n: number }, RedisStreamsContext>,
      ) {}
    }
    @Controller()
    class Orders {
      constructor(@Inject(Tenant) private readonly tenant: Tenant) {
        made.add(this);
      }
      @EventPattern<string>(stream, subscription({ concurrency: 3 }))
      on(@Payload() order: { n: number }, @Ctx() context: RedisStreamsContext): void {
        const { request } = this.tenant;
        seen.push(order.n, request.getData().n);
        expect(request.getContext()).toBe(context);
        if (order.n === 2) throw new Error('refused');
      }
    }
    const app = await start({ controllers: [Orders], providers: [Tenant] });
    expect(await outcomes(app, stream, { n: 1 }, { n: 2 }, { n: 3 })).toEqual([
      'handled',
      'pending',
      'handled',
    ]);
    expect(made.size).toBe(3);
    expect(seen).toEqual([1, 1, 2, 2, 3, 3]);
  });

  it('runs together with a singleton for the same stream, each with the payload', async () => {
    const stream = freshName('orders');
    const got: string[] = [];
    @Controller({ scope: Scope.REQUEST })
    class Scoped {
      @EventPattern<string>(stream)
      first(@Payload() order: string): void {
        got.push(`scoped ${order}`);
      }
      @EventPattern<string>(stream)
      second(@Payload() order: string): Observable<string> {
        got.push(`scoped too ${order}`);
        return of(order);
      }
    }
    const app = await start({
      controllers: [Scoped, handlerOf(stream, (order) => void got.push(`plain ${order}`))],
    });
    expect(await outcomes(app, stream, 'a')).toEqual(['handled']);
    expect(got).toEqual(['scoped a', 'scoped too a', 'plain a']);
  });

  it('that cannot be created leaves the message pending', async () => {
    const stream = freshName('orders');
    @Controller({ scope: Scope.REQUEST })
    class Orders {
      constructor() {
        throw new Error('no database');
      }
      @EventPattern<string>(stream)
      on(): void {}
    }
    const app = await start({ controllers: [Orders] });
    expect(await outcomes(app, stream, 'a')).toEqual(['pending']);
  });
});

describe('the context', () => {
  it('describes a message, without the key prefix', async () => {
    const stream = freshName('orders');
    const keyPrefix = freshPrefix();
    const contexts: RedisStreamsContext[] = [];
    const app = await streamsApp(
      { connection: redis.url, group: GROUP, consumer: 'billing-0', keyPrefix },
      { controllers: [handlerOf(stream, (_, context) => void contexts.push(context))] },
    );
    app.client.setOnDispatchHook((packet) => {
      Object.assign(packet, { metadata: { traceparent: '00-1' } });
    });
    const record = new RedisStreamsRecordBuilder({ n: 1 })
      .setMessageId('order-1')
      .setName('order.created')
      .setHeaders({ tenant: 'eu', größe: '4' })
      .build();
    const { entryId } = await app.emit(stream, record);
    await waitFor(() => contexts.length === 1);
    const [context] = contexts as [RedisStreamsContext];
    expect(context.getStream()).toBe(stream);
    expect(context.getName()).toBe('order.created');
    expect(context.getEntryId()).toBe(entryId);
    expect(context.getMessageId()).toBe('order-1');
    expect(context.getGroup()).toBe(GROUP);
    expect(context.getConsumer()).toBe('billing-0');
    expect(context.getHeaders()).toEqual({ tenant: 'eu', größe: '4' });
    expect(context.getMetadata()).toEqual({ traceparent: '00-1' });
    expect(context.getPublishedAt()).toEqual(new Date(Number(entryId?.split('-')[0])));
    expect(context.getSignal()).toBeInstanceOf(AbortSignal);
    expect(context.getSignal().aborted).toBe(false);
    expect(await redis.client.xlen(keyPrefix + stream)).toBe(1);
  });

  it('of an entry with only a name and a body has its entry ID as message ID', async () => {
    const stream = freshName('orders');
    const contexts: RedisStreamsContext[] = [];
    await start({
      controllers: [handlerOf(stream, (_, context) => void contexts.push(context))],
    });
    const entryId = await redis.client.xadd(stream, '*', 'body', '{}', 'name', 'order.created');
    await waitFor(() => contexts.length === 1);
    const [context] = contexts as [RedisStreamsContext];
    expect(context.getEntryId()).toBe(entryId);
    expect(context.getMessageId()).toBe(entryId);
    expect(context.getName()).toBe('order.created');
    expect(context.getHeaders()).toEqual({});
    expect(context.getMetadata()).toBeUndefined();
  });

  it('of a message without name and ID has the name of its stream, and a UUID', async () => {
    const stream = freshName('orders');
    const contexts: RedisStreamsContext[] = [];
    const app = await start({
      controllers: [handlerOf(stream, (_, context) => void contexts.push(context))],
    });
    const { messageId } = await app.emit(stream, { n: 1 });
    await waitFor(() => contexts.length === 1);
    expect(contexts[0]?.getName()).toBe(stream);
    expect(contexts[0]?.getMessageId()).toBe(messageId);
    expect(messageId).toMatch(/^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/);
  });
});
