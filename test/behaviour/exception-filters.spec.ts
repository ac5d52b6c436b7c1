import { describe, expect, it } from '@jest/globals';
import {
  type CallHandler,
  Catch,
  type ExceptionFilter,
  type ExecutionContext,
  type NestInterceptor,
  type Type,
  UseFilters,
  UseInterceptors,
} from '@nestjs/common';
import { RpcException } from '@nestjs/microservices';
import { catchError, EMPTY, lastValueFrom, type Observable, of, throwError } from 'rxjs';

import {
  type DeadLetter,
  DeadLetterException,
  DeadLetters,
  type RedisStreamsModuleOptions,
  RetryException,
} from '../../lib/index.js';
import { answeringController } from '../support/answering-controller.js';
import { freshName } from '../support/fresh-name.js';
import { isCaughtUp } from '../support/group-state.js';
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
const RETRY = { maxAttempts: 3, backoff: { delayMs: 1, jitter: 0 } };

const start = (
  controllers: Type[],
  options?: Partial<RedisStreamsModuleOptions>,
): Promise<StreamsApp> =>
  streamsApp({ connection: redis.url, group: GROUP, retry: RETRY, ...options }, { controllers });

@Catch()
class Deciding implements ExceptionFilter {
  constructor(private readonly decide: (error: unknown) => unknown) {}
  catch(error: unknown): unknown {
    return this.decide(error);
  }
}

class DecidingInterceptor implements NestInterceptor {
  constructor(private readonly decide: (error: unknown) => Observable<unknown>) {}
  intercept(_: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(catchError((error: unknown) => this.decide(error)));
  }
}

/** Puts an enhancer on a controller. */
function behind(controller: Type, ...decorators: ClassDecorator[]): Type {
  for (const decorate of decorators) decorate(controller);
  return controller;
}
const filtered = (controller: Type, decide: (error: unknown) => unknown): Type =>
  behind(controller, UseFilters(new Deciding(decide)));

const failing = (stream: string, runs: number[], error: () => unknown): Type =>
  handlerOf(stream, (_, context) => {
    runs.push(context.getAttempt());
    throw error();
  });

async function letterOf(app: StreamsApp, stream: string): Promise<DeadLetter> {
  const letters = app.app.get(DeadLetters);
  await waitFor(async () => (await letters.count({ stream })) === 1);
  await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
  const [letter] = await letters.list({ stream });
  return letter as DeadLetter;
}

class CardDeclined extends Error {}
const declined = (): Error => new CardDeclined('card 7 was declined');
const never = (): Error => new DeadLetterException('never again');

describe('an exception filter that makes a DeadLetterException of an error', () => {
  it.each<[string, () => unknown]>([
    ['returning it in an Observable', () => throwError(never)],
    [
      'throwing it',
      () => {
        throw never();
      },
    ],
    ['rejecting with it', () => Promise.reject(never())],
    ['resolving to an Observable of it', () => Promise.resolve(throwError(never))],
  ])('%s, is obeyed, and the original is its cause', async (_, decide) => {
    const stream = freshName('orders');
    const runs: number[] = [];
    const app = await start([filtered(failing(stream, runs, declined), decide)]);
    await app.emit(stream, 'it');
    expect(await letterOf(app, stream)).toMatchObject({
      reason: 'never again',
      attempts: 1,
      error: {
        name: 'DeadLetterException',
        message: 'never again',
        stack: expect.stringContaining('exception-filters.spec.ts'),
        causes: 'caused by CardDeclined: card 7 was declined',
      },
    });
    expect(runs).toEqual([1]);
  });

  it('is obeyed if its handler gives an Observable, and there are interceptors', async () => {
    const stream = freshName('orders');
    const passing: NestInterceptor = { intercept: (_, next) => next.handle() };
    const handler = handlerOf(stream, () => throwError(declined));
    const app = await start([
      behind(
        filtered(handler, () => Promise.resolve(throwError(never))),
        UseInterceptors(passing),
      ),
    ]);
    await app.emit(stream, 'it');
    expect(await letterOf(app, stream)).toMatchObject({ reason: 'never again', attempts: 1 });
  });

  it('keeps the cause that the filter gave it', async () => {
    const stream = freshName('orders');
    const decide = (): never => {
      throw new DeadLetterException('no', { cause: new Error('a better reason') });
    };
    const app = await start([filtered(failing(stream, [], declined), decide)]);
    await app.emit(stream, 'it');
    const { error } = await letterOf(app, stream);
    expect(error?.causes).toBe('caused by a better reason');
  });

  it('always the same one, does not mix up the causes of several messages', async () => {
    const stream = freshName('orders');
    const shared = Object.freeze(new DeadLetterException('never again'));
    const handler = handlerOf(stream, (n) => {
      throw new Error(`cause ${String(n)}`);
    });
    const app = await start([filtered(handler, () => throwError(() => shared))]);
    await app.emit(stream, 1);
    await app.emit(stream, 2);
    const letters = app.app.get(DeadLetters);
    await waitFor(async () => (await letters.count({ stream })) === 2);
    const causes = (await letters.list({ stream })).map(({ error }) => error?.causes);
    expect(causes.sort()).toEqual(['caused by cause 1', 'caused by cause 2']);
  });

  it('is obeyed with at-most-once, without a ledger, and for one of several handlers', async () => {
    for (const options of [{ delivery: 'at-most-once' }, { dedup: false }] as const) {
      const stream = freshName('orders');
      const runs: number[] = [];
      const others: unknown[] = [];
      const app = await start(
        [
          handlerOf(stream, (data) => others.push(data)),
          filtered(failing(stream, runs, declined), () => throwError(never)),
        ],
        options,
      );
      await app.emit(stream, 'it');
      expect(await letterOf(app, stream)).toMatchObject({ reason: 'never again', attempts: 1 });
      expect([runs, others]).toEqual([[1], ['it']]);
      await app.close();
    }
  });

  it('is obeyed for a redrive', async () => {
    const stream = freshName('orders');
    const runs: number[] = [];
    const app = await start([
      filtered(failing(stream, runs, declined), () =>
        throwError(() => new DeadLetterException(`run ${runs.length}`)),
      ),
    ]);
    await app.emit(stream, 'it');
    expect(await letterOf(app, stream)).toMatchObject({ reason: 'run 1' });
    await app.app.get(DeadLetters).redrive({ stream });
    await waitFor(() => runs.length === 2);
    await waitFor(async () => (await letterOf(app, stream)).reason === 'run 2');
    expect(await letterOf(app, stream)).toMatchObject({ attempts: 1 });
  });

  it('is obeyed for a request, whose caller gets its reason', async () => {
    const stream = freshName('quote');
    const handler = answeringController(stream, () => {
      throw declined();
    });
    const app = await start([filtered(handler, () => throwError(never))]);
    const asked = lastValueFrom(app.client.send(stream, 'it'));
    await expect(asked).rejects.toEqual({ status: 'error', message: 'never again' });
    expect(await letterOf(app, stream)).toMatchObject({
      reason: 'never again',
      error: { causes: 'caused by CardDeclined: card 7 was declined' },
    });
  });
});

describe('an exception filter that makes a RetryException of an error', () => {
  const later = (): Error => new RetryException({ delayMs: 2 });

  it('is obeyed until there are no attempts left', async () => {
    const stream = freshName('orders');
    const runs: number[] = [];
    const app = await start([filtered(failing(stream, runs, declined), () => throwError(later))], {
      retry: { ...RETRY, backoff: () => 'dead-letter' },
    });
    await app.emit(stream, 'it');
    expect(await letterOf(app, stream)).toMatchObject({
      attempts: 3,
      error: {
        name: 'RetryException',
        causes: 'caused by CardDeclined: card 7 was declined',
      },
    });
    expect(runs).toEqual([1, 2, 3]);
  });

  it('is obeyed even if the handler asked for a dead letter', async () => {
    const stream = freshName('orders');
    const runs: number[] = [];
    const app = await start([filtered(failing(stream, runs, never), () => throwError(later))]);
    await app.emit(stream, 'it');
    expect(await letterOf(app, stream)).toMatchObject({ attempts: 3 });
    expect(runs).toEqual([1, 2, 3]);
  });

  it('is obeyed for a request that may be retried', async () => {
    const stream = freshName('quote');
    const runs: number[] = [];
    const handler = answeringController(
      stream,
      (_, context) => {
        if (runs.push(context.getAttempt()) < 3) throw never();
        return 'at last';
      },
      { retry: { maxAttempts: 3 } },
    );
    const app = await start([filtered(handler, () => throwError(later))]);
    await expect(lastValueFrom(app.client.send(stream, 'it'))).resolves.toBe('at last');
    expect(runs).toEqual([1, 2, 3]);
  });
});

describe('an exception filter that decides nothing', () => {
  it.each<[string, (error: unknown) => unknown]>([
    ['passes another error on', () => throwError(() => new Error('another'))],
    ['passes on what Nest makes of it', () => throwError(() => ({ status: 'error' }))],
    ['throws an RpcException', () => throwError(() => new RpcException('another'))],
    ['returns nothing', () => undefined],
  ])('and %s leaves the decision of the handler', async (_, decide) => {
    const stream = freshName('orders');
    const runs: number[] = [];
    const app = await start([filtered(failing(stream, runs, never), decide)]);
    await app.emit(stream, 'it');
    expect(await letterOf(app, stream)).toMatchObject({ reason: 'never again', attempts: 1 });
  });

  it('but answers a request, sends its caller the answer', async () => {
    const stream = freshName('quote');
    const handler = answeringController(stream, () => {
      throw declined();
    });
    const app = await start([filtered(handler, () => of('a default'))]);
    await expect(lastValueFrom(app.client.send(stream, 'it'))).resolves.toBe('a default');
    await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
    expect(app.monitor.getStats().counts).toMatchObject({ handled: 1, failed: 0 });
  });

  it('but ends a request without a value, is an answer without a value', async () => {
    const stream = freshName('quote');
    const handler = answeringController(stream, () => {
      throw declined();
    });
    const app = await start([filtered(handler, () => EMPTY)]);
    const asked = lastValueFrom(app.client.send(stream, 'it'), { defaultValue: 'no value' });
    await expect(asked).resolves.toBe('no value');
    await waitFor(() => app.monitor.getStats().counts.handled === 1);
  });
});

describe('an interceptor', () => {
  it('that makes a DeadLetterException of an error is obeyed', async () => {
    const stream = freshName('orders');
    const runs: number[] = [];
    const decide = (): Observable<never> => throwError(never);
    const app = await start([
      behind(failing(stream, runs, declined), UseInterceptors(new DecidingInterceptor(decide))),
    ]);
    await app.emit(stream, 'it');
    expect(await letterOf(app, stream)).toMatchObject({
      reason: 'never again',
      attempts: 1,
      error: { causes: 'caused by CardDeclined: card 7 was declined' },
    });
  });

  it('that makes a RetryException of an error is obeyed', async () => {
    const stream = freshName('orders');
    const runs: number[] = [];
    const decide = (): Observable<never> => throwError(() => new RetryException({ delayMs: 1 }));
    const app = await start([
      behind(failing(stream, runs, never), UseInterceptors(new DecidingInterceptor(decide))),
    ]);
    await app.emit(stream, 'it');
    expect(await letterOf(app, stream)).toMatchObject({
      attempts: 3,
      error: { causes: 'caused by DeadLetterException: never again' },
    });
  });

  it('and a filter: the filter has the last word', async () => {
    const stream = freshName('orders');
    const runs: number[] = [];
    const controller = filtered(failing(stream, runs, declined), () => throwError(never));
    const retry = (): Observable<never> => throwError(() => new RetryException({ delayMs: 1 }));
    const app = await start([behind(controller, UseInterceptors(new DecidingInterceptor(retry)))]);
    await app.emit(stream, 'it');
    expect(await letterOf(app, stream)).toMatchObject({
      reason: 'never again',
      attempts: 1,
      error: { causes: 'caused by CardDeclined: card 7 was declined' },
    });
  });

  it('that makes an ordinary error of another: the message has that one', async () => {
    const stream = freshName('orders');
    const decide = (): Observable<never> => throwError(() => new TypeError('another'));
    const handler = handlerOf(stream, () => throwError(declined));
    const app = await start([behind(handler, UseInterceptors(new DecidingInterceptor(decide)))]);
    await app.emit(stream, 'it');
    expect(await letterOf(app, stream)).toMatchObject({
      attempts: 3,
      error: { name: 'TypeError', message: 'another' },
    });
  });
});
