import { afterEach, describe, expect, it } from '@jest/globals';

import type { ReadStreams } from '../../lib/consume/followed-streams.js';
import type { Member } from '../../lib/consume/member.js';
import type { Pipeline } from '../../lib/consume/pipeline.js';
import type { ReadConnections } from '../../lib/consume/sources/connections.js';
import { Resumption } from '../../lib/consume/sources/resumption.js';
import { StreamReader } from '../../lib/consume/sources/stream-reader.js';
import { Demand } from '../../lib/consume/waiting.js';
import type { RawEntry } from '../../lib/redis/read/replies.js';
import { freshName } from '../support/fresh-name.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { waitFor } from '../support/wait-for.js';

const GROUP = 'billing';

const redis = redisForTests();
let reader: StreamReader | undefined;
afterEach(() => reader?.stop());

/** What a reader asks of a pipeline. Whether a read is worth it depends on the time, so that two answers in a row can differ. */
class Taker {
  readonly keys: { readonly stream: string };
  readonly deliveries = { mode: { shownMs: undefined } };
  readonly taken: string[] = [];
  /** The next answers to whether it wants a read; after them the last one stands. */
  answers: boolean[];
  isAwaited = false;
  room = 10;

  constructor(stream: string, ...answers: boolean[]) {
    this.keys = { stream };
    this.answers = answers;
  }

  get wantsRead(): boolean {
    const [next] = this.answers;
    if (this.answers.length > 1) this.answers.shift();
    return next === true;
  }

  offer(entries: readonly RawEntry[]): void {
    this.taken.push(...entries.map(({ id }) => id));
  }

  reserved(): Promise<void> {
    return Promise.resolve();
  }
}

/** Starts a reader, and resolves once it is blocked for the streams that want a read. */
async function startReader(...takers: Taker[]): Promise<StreamReader> {
  for (const { keys } of takers) {
    await redis.client.xgroup('CREATE', keys.stream, GROUP, '0', 'MKSTREAM');
  }
  const blocking = redis.connect();
  await blocking.ping();
  const member = { group: GROUP, consumer: 'one' } as Member;
  const streams: ReadStreams = {
    reading: takers as unknown as Pipeline[],
    find: (key) => takers.find(({ keys }) => keys.stream === key) as unknown as Pipeline,
    isReading: () => true,
  };
  const connections = {
    commands: redis.client,
    blocking,
    ready: () => Promise.resolve(),
    unblock: (id: number) => redis.client.client('UNBLOCK', id),
  };
  reader = new StreamReader(
    member,
    streams,
    connections as unknown as ReadConnections,
    new Resumption(member, new Demand()),
    undefined as never,
    undefined as never,
    { onFault: () => undefined, onWorking: () => undefined },
    60_000,
    false,
  );
  void reader.start();
  await waitFor(async () => /cmd=xreadgroup/.test(String(await redis.client.client('LIST'))));
  return reader;
}

describe('a reader', () => {
  it('goes on reading a stream that wanted no more at the moment when its read was about to begin', async () => {
    const idle = new Taker(freshName('idle'), true);
    const orders = new Taker(freshName('orders'), false);
    const started = await startReader(idle, orders);
    const id = await redis.client.xadd(orders.keys.stream, '*', 'n', '1');
    orders.answers = [true, true, false, true];
    started.roomIn(orders.keys.stream);
    await waitFor(() => orders.answers.length === 1);
    started.roomIn(orders.keys.stream);
    await waitFor(() => orders.taken.length === 1);
    expect(orders.taken).toEqual([id]);
  });

  it('reads one entry, and not all there are, if the room went at the moment when its read was about to begin', async () => {
    const idle = new Taker(freshName('idle'), true);
    const orders = new Taker(freshName('orders'), false);
    const started = await startReader(idle, orders);
    const id = await redis.client.xadd(orders.keys.stream, '*', 'n', '1');
    for (let n = 2; n <= 20; n++) await redis.client.xadd(orders.keys.stream, '*', 'n', String(n));
    orders.answers = [true, true, true, false];
    orders.room = 0;
    started.roomIn(orders.keys.stream);
    await waitFor(() => orders.taken.length > 0);
    expect(orders.taken).toEqual([id]);
    const [, , , consumers] = (await redis.client.xpending(orders.keys.stream, GROUP)) as unknown[];
    expect(consumers).toEqual([['one', '1']]);
  });
});
