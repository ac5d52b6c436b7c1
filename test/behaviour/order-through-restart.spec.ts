import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';

import {
  DeadLetterException,
  DeadLetters,
  type RedisStreamsContext,
  type RedisStreamsModuleOptions,
  RetryException,
} from '../../lib/index.js';
import { streamKeys } from '../../lib/wire/stream-keys.js';
import { childProgram, endChildPrograms } from '../support/child-program.js';
import { canHaveCluster, clusterForTests } from '../support/cluster-for-tests.js';
import { compiledPackage, type CompiledPackage } from '../support/compiled-package.js';
import { freshName, freshPrefix } from '../support/fresh-name.js';
import { addEntries, isCaughtUp } from '../support/group-state.js';
import { redisForTests } from '../support/redis-for-tests.js';
import {
  closeAppsAfterEach,
  handlerOf,
  type StreamsApp,
  streamsApp,
} from '../support/streams-app.js';
import { tcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
let proxy: TcpProxy | undefined;
closeAppsAfterEach();
afterEach(async () => {
  await proxy?.close();
  proxy = undefined;
});

const GROUP = 'billing';
const PATIENCE = { timeoutMs: 60_000 };
const WITH_CLUSTER = await canHaveCluster();

interface Numbered {
  readonly n: number;
}
type Handle = (data: Numbered, context: RedisStreamsContext) => unknown;
const numbers = (count: number): Numbered[] => Array.from({ length: count }, (_, n) => ({ n }));
const upTo = (count: number): number[] => numbers(count).map(({ n }) => n);

/** The server, and the options of the consumers. */
interface Setting {
  readonly stream: string;
  readonly pattern?: string;
  readonly options?: Partial<RedisStreamsModuleOptions>;
}

const member = ({ stream, pattern = stream, options }: Setting, handle: Handle) =>
  streamsApp(
    { connection: redis.url, group: GROUP, startFrom: 'beginning', ...options },
    { controllers: [handlerOf(pattern, handle)] },
  );

/** Runs a member that begins to close while its message number `last` runs, which ends once nothing more starts. */
async function runMemberUntil(last: number, setting: Setting, handle: Handle): Promise<void> {
  let ran = 0;
  let closing: { readonly closed: Promise<void> } | undefined;
  const app: Promise<StreamsApp> = member(setting, async (data, context) => {
    ran++;
    const result = handle(data, context);
    if (ran === last) {
      const { close, server } = await app;
      closing = { closed: close() };
      await waitFor(() => server.consumer?.isDraining !== false);
    }
    return result;
  });
  await app;
  const { closed } = await waitFor(() => closing, PATIENCE);
  await closed;
}

const inMs = (took: number) => async (): Promise<void> => delay(took);
const atOnce = (): void => undefined;

/** What remains of a group once there is nothing left to do. */
async function leftIn(
  { stream, options }: Setting,
  client = redis.client,
): Promise<Record<string, number>> {
  const keys = streamKeys(options?.keyPrefix ?? '', stream, GROUP);
  const { leases, retries, attempts, deadLetters, ledger } = keys;
  const [leased, waiting, attempted, dead, handled] = await Promise.all([
    client.hlen(leases),
    client.zcard(retries),
    client.hlen(attempts),
    client.xlen(deadLetters),
    client.zcard(ledger),
  ]);
  return { leased, waiting, attempted, dead, handled };
}
const DONE = { leased: 0, waiting: 0, attempted: 0, dead: 0 };
const keyOf = ({ stream, options }: Setting): string => (options?.keyPrefix ?? '') + stream;
const caughtUp = (setting: Setting): Promise<unknown> =>
  waitFor(() => isCaughtUp(redis.client, keyOf(setting), GROUP), PATIENCE);

type Way = () => Setting | Promise<Setting>;
const withOptions =
  (options: Partial<RedisStreamsModuleOptions>): Way =>
  () => ({ stream: freshName('orders'), options });

const WAYS: readonly (readonly [string, Way])[] = [
  ['with all defaults', withOptions({})],
  ['with a fixed consumer name', withOptions({ consumer: freshName('billing-0') })],
  ['without a ledger', withOptions({ dedup: false })],
  ['at most once', withOptions({ delivery: 'at-most-once' })],
  ['at most once without a ledger', withOptions({ delivery: 'at-most-once', dedup: false })],
  ['with small batches', withOptions({ batchSize: 5 })],
  ['with large batches', withOptions({ batchSize: 1_000 })],
  ['with a retry that blocks', withOptions({ retry: { blocking: true } })],
  [
    'found by a wildcard, behind a key prefix',
    () => ({
      stream: freshName('orders'),
      pattern: 'orders-*',
      options: { keyPrefix: freshPrefix(), discoveryIntervalMs: 100 },
    }),
  ],
  [
    'over RESP 2',
    () => {
      const { hostname: host, port } = new URL(redis.url);
      const connection = { host, port: Number(port), protocol: 2 } as const;
      return { stream: freshName('orders'), options: { connection } };
    },
  ],
  [
    'some milliseconds away from Redis',
    async () => {
      proxy = await tcpProxy(redis.url, { latencyMs: 3 });
      return { stream: freshName('orders'), options: { connection: proxy.url } };
    },
  ],
];

describe.each(WAYS)('400 messages, one member at a time, %s', (_, way) => {
  it.each([
    ['that take a moment', inMs(1), 40],
    ['that wait for nothing', atOnce, 60],
  ] as const)(
    'are handled in stream order, each once, through five closes, by handlers %s',
    async (_handlers, handle, each) => {
      const setting = await way();
      const got: number[] = [];
      const run: Handle = ({ n }) => {
        got.push(n);
        return handle();
      };
      await addEntries(redis.client, keyOf(setting), numbers(400));
      let closes = 0;
      for (; closes < 5 && got.length < 400; closes++) {
        await runMemberUntil(Math.min(each, 400 - got.length), setting, run);
      }
      // At-most-once cannot hand back without a ledger, and runs everything that it has read.
      const { delivery, dedup } = setting.options ?? {};
      const handsBack = delivery !== 'at-most-once' || dedup !== false;
      expect(handsBack ? [closes, got.length < 400] : []).toEqual(handsBack ? [5, true] : []);
      await member(setting, run);
      await waitFor(() => got.length >= 400, PATIENCE);
      await caughtUp(setting);
      expect(got).toEqual(upTo(400));
      await waitFor(async () => {
        const handled = setting.options?.dedup === false ? 0 : 400;
        expect(await leftIn(setting)).toEqual({ ...DONE, handled });
        return true;
      });
    },
  );
});

describe('a member that starts', () => {
  it('takes what was handed back in stream order with its own pending entries, before anything new', async () => {
    const name = freshName('billing-0');
    const setting = { stream: freshName('orders') };
    await redis.client.xgroup('CREATE', setting.stream, GROUP, '0', 'MKSTREAM');
    await addEntries(redis.client, setting.stream, numbers(3));
    // As if a process with its name had read them, and its connection broke.
    await redis.client.xreadgroup('GROUP', GROUP, name, 'STREAMS', setting.stream, '>');
    await addEntries(redis.client, setting.stream, numbers(50).slice(3));
    const got: number[] = [];
    const run: Handle = ({ n }) => void got.push(n);
    await runMemberUntil(1, setting, run);
    expect(got).toEqual([3]);
    await waitFor(async () => (await leftIn(setting))['waiting']);
    await addEntries(redis.client, setting.stream, numbers(60).slice(50));
    await member({ ...setting, options: { consumer: name } }, run);
    await caughtUp(setting);
    expect(got).toEqual([3, 0, 1, 2, ...upTo(60).slice(4)]);
  });

  it('does not wait for a failed message that is scheduled for a retry', async () => {
    const setting = { stream: freshName('orders') };
    const got: number[] = [];
    await addEntries(redis.client, setting.stream, numbers(40));
    const handle: Handle = ({ n }) => {
      if (n === 0) throw new RetryException({ delayMs: 3_600_000 });
      got.push(n);
    };
    await runMemberUntil(10, setting, handle);
    await member(setting, handle);
    await waitFor(() => got.length === 39);
    expect(got).toEqual(upTo(40).slice(1));
    expect(await leftIn(setting)).toMatchObject({ waiting: 1, attempted: 1, leased: 0 });
  });

  it.each(['at-least-once', 'at-most-once'] as const)(
    'keeps the order of the others while dead letters are redriven and failures are due (%s)',
    async (delivery) => {
      const setting = { stream: freshName('orders'), options: { delivery } };
      const redriven = new Set<number>();
      const got: number[] = [];
      const handle: Handle = ({ n }, context) => {
        if (n >= 0) return void got.push(n);
        if (n % 2 === 0 && context.getAttempt() === 1 && delivery === 'at-least-once') {
          throw new RetryException({ delayMs: 1 });
        }
        redriven.add(n);
      };
      const bad = upTo(20).map((n) => ({ n: -1 - n }));
      await addEntries(redis.client, setting.stream, bad);
      const first = await member(setting, () => {
        throw new DeadLetterException('not now');
      });
      await waitFor(async () => (await leftIn(setting))['dead'] === 20);
      await first.close();
      await addEntries(redis.client, setting.stream, numbers(200));
      await runMemberUntil(10, setting, handle);
      const deadLetters = new DeadLetters({ connection: redis.url, group: GROUP });
      expect(await deadLetters.redrive({ stream: setting.stream })).toEqual({ redriven: 20 });
      deadLetters.close();
      await runMemberUntil(30, setting, handle);
      await member(setting, handle);
      await waitFor(() => redriven.size === 20 && got.length >= 200, PATIENCE);
      await caughtUp(setting);
      expect(got).toEqual(upTo(200));
    },
  );

  it('together with others holds nothing up and runs nothing twice, while each of them restarts', async () => {
    const setting = { stream: freshName('orders') };
    const got: number[] = [];
    const run: Handle = async ({ n }) => {
      got.push(n);
      await delay(1);
    };
    await addEntries(redis.client, setting.stream, numbers(600));
    await Promise.all(
      [1, 2].map(async () => {
        for (let closes = 0; closes < 3; closes++) await runMemberUntil(20, setting, run);
        await member(setting, run);
      }),
    );
    await waitFor(() => got.length >= 600, PATIENCE);
    await caughtUp(setting);
    expect(got.sort((a, b) => a - b)).toEqual(upTo(600));
    await waitFor(async () => {
      expect(await leftIn(setting)).toEqual({ ...DONE, handled: 600 });
      return true;
    });
  });
});

describe('a process that gets SIGTERM', () => {
  let compiled: CompiledPackage;
  beforeAll(async () => {
    compiled = await compiledPackage('test/support/programs');
  });
  afterEach(endChildPrograms);

  it('hands back what it did not start, and the next one continues with it', async () => {
    const stream = freshName('orders');
    await redis.client.xgroup('CREATE', stream, GROUP, '0', 'MKSTREAM');
    await addEntries(redis.client, stream, numbers(400));
    const path = compiled.program('test/support/programs/ordered-consumer.program.ts');
    const start = () => childProgram(path, { env: { REDIS_URL: redis.url, STREAM: stream } });
    const gotBy = (program: { output(): string }): number[] =>
      [...program.output().matchAll(/^n (\d+)$/gm)].map(([, n]) => Number(n));
    const got: number[] = [];
    for (let times = 0; times < 3; times++) {
      const program = start();
      await waitFor(() => gotBy(program).length >= 50, PATIENCE);
      program.kill('SIGTERM');
      expect(await program.ended).toBe('SIGTERM');
      got.push(...gotBy(program));
    }
    const last = start();
    await waitFor(() => got.length + gotBy(last).length >= 400, PATIENCE);
    await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
    expect([...got, ...gotBy(last)]).toEqual(upTo(400));
  });
});

(WITH_CLUSTER ? describe : describe.skip)('on a Redis Cluster', () => {
  const servers = clusterForTests();

  it('streams in several slots are each handled in order through five closes', async () => {
    const streams = ['orders', 'payments', 'parcels'].map((kind) => freshName(kind));
    const { client, connection } = servers.redis;
    const got = new Map(streams.map((stream) => [stream, [] as number[]]));
    for (const stream of streams) {
      for (const { n } of numbers(200)) {
        await client.xadd(stream, '*', 'name', stream, 'body', JSON.stringify({ n }));
      }
    }
    const all = (): number => [...got.values()].reduce((sum, each) => sum + each.length, 0);
    for (let closes = 0; ; closes++) {
      const app = await streamsApp(
        { connection, group: GROUP, startFrom: 'beginning' },
        {
          controllers: streams.map((stream) =>
            handlerOf<Numbered>(stream, async ({ n }) => {
              got.get(stream)?.push(n);
              await delay(1);
            }),
          ),
        },
      );
      const before = all();
      await waitFor(() => all() >= (closes < 5 ? before + 60 : 600), PATIENCE);
      if (closes === 5) break;
      await app.close();
    }
    for (const stream of streams) expect(got.get(stream)).toEqual(upTo(200));
  });
});
