import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  type ArgumentsHost,
  Catch,
  type RpcExceptionFilter,
  type ExecutionContext,
  type Type,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
} from '@nestjs/common';
import { EMPTY, throwError } from 'rxjs';

import { type Codec, JsonCodec, type RedisStreamsModuleOptions } from '../../lib/index.js';
import { ANYTHING } from '../support/anything.js';
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

const rejections: unknown[] = [];
const onRejection = (reason: unknown): void => void rejections.push(reason);
beforeEach(() => void process.on('unhandledRejection', onRejection));
afterEach(() => {
  process.off('unhandledRejection', onRejection);
  if (rejections.splice(0).length > 0) throw new Error('A rejection was not handled');
});

const GROUP = 'billing';
const COUNT = ANYTHING.length;
/** The number of the message that does not fail. */
const LAST = COUNT;
/** All that a dead letter may add to an entry here. */
const MOST_BYTES = 20 * 1024;

/** Throws the n-th of all values. */
function throwAnything(n: unknown): void {
  const made = ANYTHING[Number(n)];
  if (made !== undefined) throw made[1]();
}

type Fields = Readonly<Record<string, string>>;

async function deadLetters(stream: string): Promise<Fields[]> {
  const key = `stream:{${stream}}:group:${GROUP}:dead-letters`;
  const entries = await redis.client.xrange(key, '-', '+');
  return entries.map(([, fields]) => {
    const named = fields.flatMap((name, at) => (at % 2 === 0 ? [[name, fields[at + 1]]] : []));
    return Object.fromEntries(named) as Fields;
  });
}

const caughtUp = (stream: string) => isCaughtUp(redis.client, stream, GROUP);

function start(
  controllers: Type[],
  options: Partial<RedisStreamsModuleOptions> = {},
  before?: (app: StreamsApp['app']) => void,
): Promise<StreamsApp> {
  const retry = { maxAttempts: 1 };
  return streamsApp(
    { connection: redis.url, group: GROUP, retry, ...options },
    { controllers, ...(before === undefined ? {} : { before }) },
  );
}

/** Publishes a message for each value, and one that does not fail. Each must get its outcome. */
async function expectAllDead(app: StreamsApp, stream: string, handled: unknown[]): Promise<void> {
  for (let n = 0; n <= LAST; n++) await app.emit(stream, n);
  await waitFor(() => caughtUp(stream));
  await waitFor(async () => (await deadLetters(stream)).length === COUNT);
  expect(handled).toEqual([LAST]);
  for (const fields of await deadLetters(stream)) {
    expect(Number(fields['body'])).toBeLessThan(COUNT);
    expect(fields['dead-letter-reason']).not.toBe('');
    expect(JSON.stringify(fields).length).toBeLessThan(MOST_BYTES);
  }
  expect(app.monitor.getStats().counts).toMatchObject({ handled: 1, deadLettered: COUNT });
}

/** A controller whose handler does nothing wrong, decorated with what does. */
function decorated(
  stream: string,
  handled: unknown[],
  decorate: MethodDecorator & ClassDecorator,
): Type {
  const controller = handlerOf(stream, (n) => void handled.push(n));
  decorate(controller);
  return controller;
}

describe('anything can be thrown', () => {
  it.each<[string, (n: unknown) => unknown]>([
    ['throws', throwAnything],
    ['rejects', async (n) => throwAnything(n)],
    [
      'gives an Observable that fails',
      (n) => {
        const made = ANYTHING[Number(n)];
        return made === undefined ? EMPTY : throwError(made[1]);
      },
    ],
  ])('by a handler that %s', async (_, work) => {
    const stream = freshName('orders');
    const handled: unknown[] = [];
    const handler = handlerOf(stream, (n) => {
      if (n === LAST) handled.push(n);
      return work(n);
    });
    await expectAllDead(await start([handler]), stream, handled);
  });

  it('by a guard', async () => {
    const [stream, handled] = [freshName('orders'), [] as unknown[]];
    const guard = {
      canActivate: (context: ExecutionContext) => {
        throwAnything(context.switchToRpc().getData());
        return true;
      },
    };
    const app = await start([decorated(stream, handled, UseGuards(guard))]);
    await expectAllDead(app, stream, handled);
  });

  it('by a pipe', async () => {
    const [stream, handled] = [freshName('orders'), [] as unknown[]];
    const pipe = {
      transform: (value: unknown) => {
        throwAnything(value);
        return value;
      },
    };
    const app = await start([decorated(stream, handled, UsePipes(pipe))]);
    await expectAllDead(app, stream, handled);
  });

  it('by an interceptor', async () => {
    const [stream, handled] = [freshName('orders'), [] as unknown[]];
    const interceptor = {
      intercept: (context: ExecutionContext, next: { handle: () => never }) => {
        throwAnything(context.switchToRpc().getData());
        return next.handle();
      },
    };
    const app = await start([decorated(stream, handled, UseInterceptors(interceptor))]);
    await expectAllDead(app, stream, handled);
  });

  it('by an exception filter', async () => {
    const [stream, handled] = [freshName('orders'), [] as unknown[]];
    @Catch()
    class Filter implements RpcExceptionFilter<never> {
      catch(_: never, host: ArgumentsHost): never {
        throwAnything(host.switchToRpc().getData());
        throw new Error('there is always one');
      }
    }
    const handler = handlerOf(stream, (n) => {
      if (n !== LAST) throw new Error('for the filter');
      handled.push(n);
    });
    UseFilters(new Filter())(handler);
    await expectAllDead(await start([handler]), stream, handled);
  });

  it.each<[string, (value: unknown) => unknown]>([
    [
      'throws',
      (value) => {
        throwAnything(value);
        return { value };
      },
    ],
    [
      'rejects',
      async (value) => {
        throwAnything(value);
        return { value };
      },
    ],
  ])('by a schema that %s', async (_, validate) => {
    const [stream, handled] = [freshName('orders'), [] as unknown[]];
    const schema = { '~standard': { version: 1, vendor: 'test', validate } } as never;
    const app = await start([handlerOf(stream, (n) => void handled.push(n))], {
      streams: { [stream]: { schema } },
    });
    // The client of the same app would refuse them.
    const { emit } = await start([]);
    await expectAllDead({ ...app, emit }, stream, handled);
  });

  it('by the decode() of a codec', async () => {
    const [stream, handled] = [freshName('orders'), [] as unknown[]];
    const json = new JsonCodec();
    const codec: Codec = {
      encode: (its, envelope) => json.encode(its, envelope),
      decode: (fields) => {
        const envelope = json.decode(fields);
        throwAnything(envelope.payload);
        return envelope;
      },
    };
    const app = await start([handlerOf(stream, (n) => void handled.push(n))], { codec });
    await expectAllDead(app, stream, handled);
  });

  it('by the start hook, and by the end hook', async () => {
    const [stream, handled] = [freshName('orders'), [] as unknown[]];
    const app = await start([handlerOf(stream, (n) => void handled.push(n))]);
    let started = 0;
    app.server.setOnProcessingStartHook((_, __, done) => {
      throwAnything(started++);
      return done();
    });
    await expectAllDead(app, stream, handled);
    app.server.setOnProcessingStartHook((_, __, done) => done());
    let ended = 0;
    app.server.setOnProcessingEndHook(() => throwAnything(ended++));
    for (let n = 0; n < COUNT; n++) await app.emit(stream, 'ends');
    await waitFor(() => handled.length === COUNT + 1);
    await waitFor(() => caughtUp(stream));
  });
});
