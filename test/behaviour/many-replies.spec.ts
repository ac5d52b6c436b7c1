import { describe, expect, it } from '@jest/globals';
import { type CallHandler, type Type, UseInterceptors } from '@nestjs/common';
import { lastValueFrom, map, Observable, tap, toArray } from 'rxjs';

import { answeringController } from '../support/answering-controller.js';
import { freshName } from '../support/fresh-name.js';
import { isCaughtUp } from '../support/group-state.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach, type StreamsApp, streamsApp } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
closeAppsAfterEach();

const GROUP = 'pricing';
const VALUES = 400;
const KIB = 1_024;
/** 16 of these are enough for a handler to be asked for no more. */
const text = 'x'.repeat(16 * KIB);

const start = (controller: Type, replyBufferBytes?: number): Promise<StreamsApp> =>
  streamsApp(
    { connection: redis.url, group: GROUP, ...(replyBufferBytes && { replyBufferBytes }) },
    { controllers: [controller] },
  );

const all = (app: StreamsApp, stream: string): Promise<{ n: number }[]> =>
  lastValueFrom(app.client.send<{ n: number }>(stream, 'all').pipe(toArray()));

const inOrder = Array.from({ length: VALUES }, (_, n) => n);

/** Gives values as fast as it is asked for them. */
class Numbers {
  given = 0;
  hasEnded = false;

  constructor(private readonly most = VALUES) {}

  async *values(): AsyncGenerator<{ n: number; text: string }> {
    try {
      for (; this.given < this.most;) yield { n: this.given++, text };
    } finally {
      this.hasEnded = true;
    }
  }
}

describe('a request with many values', () => {
  it('gets each value of an async iterable, which is asked for no more than Redis takes', async () => {
    const stream = freshName('quotes');
    const numbers = new Numbers();
    const app = await start(answeringController(stream, () => numbers.values()));
    let got = 0;
    let mostAhead = 0;
    const values = app.client.send<{ n: number }>(stream, 'all').pipe(
      tap(() => {
        // What was read of the inbox together is counted too.
        mostAhead = Math.max(mostAhead, numbers.given - ++got);
      }),
      map(({ n }) => n),
      toArray(),
    );
    await expect(lastValueFrom(values)).resolves.toEqual(inOrder);
    expect(mostAhead).toBeLessThan(VALUES / 2);
    expect(numbers.hasEnded).toBe(true);
    await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
  });

  it('gets the values of an async iterable through an interceptor', async () => {
    const stream = freshName('quotes');
    const Answering = answeringController(stream, () => new Numbers().values());
    UseInterceptors({ intercept: (_: unknown, next: CallHandler) => next.handle() })(Answering);
    const app = await start(Answering);
    const got = await all(app, stream);
    expect(got.map(({ n }) => n)).toEqual(inOrder);
  });

  it('ends an async iterable when its caller no longer wants the values', async () => {
    const stream = freshName('quotes');
    const numbers = new Numbers(Infinity);
    const app = await start(answeringController(stream, () => numbers.values()));
    const subscription = app.client.send(stream, 'all').subscribe();
    await waitFor(() => numbers.given > 1);
    expect(numbers.hasEnded).toBe(false);
    subscription.unsubscribe();
    await waitFor(() => numbers.hasEnded);
    await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
  });

  it('passes on what an async iterable throws, after the values before it', async () => {
    const stream = freshName('quotes');
    const app = await start(
      answeringController(stream, async function* () {
        yield { n: 1 };
        throw new Error('sold out');
      }),
    );
    const got: unknown[] = [];
    const asked = lastValueFrom(app.client.send(stream, 'all').pipe(tap((each) => got.push(each))));
    await expect(asked).rejects.toMatchObject({ status: 'error' });
    expect(got).toEqual([{ n: 1 }]);
  });

  it('gets all values of an Observable that gives them at once, in order', async () => {
    const stream = freshName('quotes');
    const app = await start(
      answeringController(
        stream,
        () =>
          new Observable((subscriber) => {
            for (let n = 0; n < 5_000; n++) subscriber.next({ n });
            subscriber.complete();
          }),
      ),
    );
    const got = await all(app, stream);
    expect(got.map(({ n }) => n)).toEqual(Array.from({ length: 5_000 }, (_, n) => n));
  });

  it('fails with an error that names the limit if too many bytes wait to be written', async () => {
    const stream = freshName('quotes');
    const app = await start(
      answeringController(
        stream,
        () =>
          new Observable((subscriber) => {
            for (let n = 0; n < VALUES; n++) subscriber.next({ n, text });
            subscriber.complete();
          }),
      ),
      64 * KIB,
    );
    const got: { n: number }[] = [];
    const asked = lastValueFrom(
      app.client.send<{ n: number }>(stream, 'all').pipe(tap((each) => got.push(each))),
    );
    await expect(asked).rejects.toMatchObject({
      message: expect.stringMatching(/replyBufferBytes \(65536\) wait/),
    });
    // As many as fit came before it.
    expect(got.map(({ n }) => n)).toEqual([0, 1, 2, 3]);
    await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
  });
});
