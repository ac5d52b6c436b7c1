import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { DeadLetters, type RedisStreamsContext } from '../../lib/index.js';
import { freshName } from '../support/fresh-name.js';
import { redisForTests } from '../support/redis-for-tests.js';
import {
  closeAppsAfterEach,
  handlerOf,
  streamsApp,
  type StreamsApp,
} from '../support/streams-app.js';
import { type ResetAt, tcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
closeAppsAfterEach();

const GROUP = 'billing';
const keyOf = (stream: string, what: string): string => `stream:{${stream}}:group:${GROUP}:${what}`;

let proxy: TcpProxy;
let deadLetters: DeadLetters;
beforeEach(async () => {
  proxy = await tcpProxy(redis.url);
  deadLetters = new DeadLetters({ connection: redis.url, group: GROUP });
});
afterEach(async () => {
  deadLetters.close();
  await proxy.close();
});

/** Writes a dead letter as a consumer does. */
async function write(stream: string, delivery: string): Promise<string> {
  const id = await redis.client.xadd(
    keyOf(stream, 'dead-letters'),
    '*',
    'name',
    stream,
    'body',
    '{"n":1}',
    'id',
    'order-1',
    'dead-letter-reason',
    'failed',
    'dead-letter-entry-id',
    '1-1',
    ...(delivery === 'at-most-once' ? ['dead-letter-delivery', delivery] : []),
  );
  return String(id);
}

/** What a group has in Redis in addition to the stream and the ledger. */
async function leftIn(stream: string): Promise<number[]> {
  const { client } = redis;
  return [
    await client.xlen(keyOf(stream, 'dead-letters')),
    await client.zcard(keyOf(stream, 'retries')),
    await client.hlen(keyOf(stream, 'leases')),
    await client.hlen(keyOf(stream, 'attempts')),
  ];
}

interface Mode {
  readonly delivery: 'at-least-once' | 'at-most-once';
  readonly dedup: { windowMs: number } | false;
}
const MODES: Mode[] = [
  { delivery: 'at-least-once', dedup: { windowMs: 60_000 } },
  { delivery: 'at-least-once', dedup: false },
  { delivery: 'at-most-once', dedup: { windowMs: 60_000 } },
  { delivery: 'at-most-once', dedup: false },
];

function member(
  stream: string,
  mode: Mode,
  handle: (context: RedisStreamsContext) => unknown,
): Promise<StreamsApp> {
  return streamsApp(
    {
      connection: proxy.url,
      group: GROUP,
      recovery: { minIdleMs: 1_000, intervalMs: 100 },
      retry: { maxAttempts: 2, backoff: { type: 'fixed', delayMs: 20, jitter: 0 } },
      ...mode,
    },
    { controllers: [handlerOf(stream, (_, context) => handle(context))] },
  );
}

/** Where the script is interrupted, and which of its executions concern the redrive. */
const CUTS: { step: string; nth: number; at: ResetAt }[] = [
  { step: 'reserve', nth: 1, at: 'before-request' },
  { step: 'reserve', nth: 1, at: 'before-reply' },
  { step: 'settle', nth: 2, at: 'before-request' },
  { step: 'settle', nth: 2, at: 'before-reply' },
];
/** At most once has one step between them: the dead letter is removed, and the handler starts. */
const CUTS_AT_MOST_ONCE: typeof CUTS = CUTS.flatMap((cut) =>
  cut.step === 'reserve'
    ? [cut]
    : [
        { ...cut, step: 'start' },
        { ...cut, nth: 3 },
      ],
);
const CASES = MODES.flatMap((mode) => {
  const cuts = mode.delivery === 'at-most-once' ? CUTS_AT_MOST_ONCE : CUTS;
  return cuts.map((cut) => Object.assign({ mode }, cut));
});

describe.each(CASES)('a connection that drops $at of $step ($mode)', ({ mode, nth, at }) => {
  const { delivery, dedup } = mode;

  function trap(id: string): Promise<void> {
    let seen = 0;
    return proxy.resetOnce(at, (request) => {
      if (!request.includes(`dead-letter:${id}`)) return false;
      seen++;
      return seen === nth;
    });
  }

  it('lets a redrive be handled once', async () => {
    const stream = freshName('orders');
    const id = await write(stream, delivery);
    const attempts: number[] = [];
    await member(stream, mode, (context) => void attempts.push(context.getAttempt()));
    // At most once sends nothing for the success of a handler that has started.
    const reset = delivery === 'at-most-once' && nth === 3 ? undefined : trap(id);
    await deadLetters.redrive({ stream });
    await reset;
    await waitFor(() => attempts.length > 0);
    await waitFor(async () => {
      expect(await leftIn(stream)).toEqual([0, 0, 0, 0]);
      return true;
    });
    expect(attempts).toEqual([1]);
    expect(await redis.client.zcard(keyOf(stream, 'processed'))).toBe(dedup === false ? 0 : 1);
  });

  it('leaves one dead letter of a redrive that fails again', async () => {
    const stream = freshName('orders');
    const id = await write(stream, delivery);
    const attempts: number[] = [];
    await member(stream, mode, (context) => {
      attempts.push(context.getAttempt());
      throw new Error('still not');
    });
    const reset = trap(id);
    await deadLetters.redrive({ stream });
    await reset;
    await waitFor(async () => {
      expect(await leftIn(stream)).toEqual([1, 0, 0, 0]);
      return (await deadLetters.list({ stream }))[0]?.id !== id;
    });
    expect(attempts).toEqual(delivery === 'at-most-once' ? [1] : [1, 2]);
  });
});

describe('a connection that drops', () => {
  it('with a redrive on its way to a consumer lets it run after a lease', async () => {
    const stream = freshName('orders');
    const mode: Mode = { delivery: 'at-least-once', dedup: { windowMs: 60_000 } };
    await write(stream, mode.delivery);
    await deadLetters.redrive({ stream });
    const reset = proxy.resetOnce(
      'before-reply',
      (request) => request.includes(':dead-letters') && !request.includes('dead-letter:'),
    );
    const attempts: number[] = [];
    await member(stream, mode, (context) => void attempts.push(context.getAttempt()));
    await reset;
    await waitFor(() => attempts.length === 1);
    await waitFor(async () => {
      expect(await leftIn(stream)).toEqual([0, 0, 0, 0]);
      return true;
    });
    expect(attempts).toEqual([1]);
  });

  it('with a redrive on its way that is purged meanwhile does not let it run', async () => {
    const stream = freshName('orders');
    const mode: Mode = { delivery: 'at-least-once', dedup: { windowMs: 60_000 } };
    const id = await write(stream, mode.delivery);
    const runs: unknown[] = [];
    await member(stream, mode, (context) => void runs.push(context.getMessageId()));
    const reset = proxy.resetOnce('before-request', (request) => {
      if (!request.includes(`dead-letter:${id}`)) return false;
      // Nothing gets through again before it is purged.
      proxy.freeze();
      return true;
    });
    await deadLetters.redrive({ stream });
    await reset;
    expect(await deadLetters.purge({ stream })).toEqual({ purged: 1 });
    proxy.thaw();
    // A later message shows that it has been processed.
    await redis.client.xadd(stream, '*', 'name', stream, 'body', '{"n":2}', 'id', 'order-2');
    await waitFor(() => runs.length > 0);
    expect(runs).toEqual(['order-2']);
    await waitFor(async () => {
      expect(await leftIn(stream)).toEqual([0, 0, 0, 0]);
      return true;
    });
  });

  it('during a redrive or a purge is reported to the operator, who can try again', async () => {
    const stream = freshName('orders');
    const id = await write(stream, 'at-least-once');
    const through = new DeadLetters({ connection: proxy.url, group: GROUP });
    try {
      for (const at of ['before-request', 'before-reply'] as const) {
        const reset = proxy.resetOnce(at, (request) => request.includes(':retries'));
        await expect(through.redrive({ stream, ids: [id] })).rejects.toBeInstanceOf(Error);
        await reset;
      }
      expect(await redis.client.zcard(keyOf(stream, 'retries'))).toBe(1);
      expect(await through.redrive({ stream, ids: [id] })).toEqual({ redriven: 0 });
      // Redis has the script by now, so it has been executed when the answer is lost.
      await write(`${stream}-other`, 'at-least-once');
      await through.purge({ stream: `${stream}-other` });
      const reset = proxy.resetOnce('before-reply', (request) => request.includes(':retries'));
      await expect(through.purge({ stream })).rejects.toBeInstanceOf(Error);
      await reset;
      expect(await through.purge({ stream })).toEqual({ purged: 0 });
      expect(await leftIn(stream)).toEqual([0, 0, 0, 0]);
    } finally {
      through.close();
    }
  });
});
