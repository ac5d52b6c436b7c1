import { describe, expect, it, jest } from '@jest/globals';

import { LedgerMaintenanceJob, NoAnswerError, RedisStreamsRecordBuilder } from '../../lib/index.js';
import { freshName } from '../support/fresh-name.js';
import { addEntries, isCaughtUp } from '../support/group-state.js';
import { redisForTests } from '../support/redis-for-tests.js';
import {
  closeAppsAfterEach,
  handlerOf,
  type StreamsApp,
  streamsApp,
} from '../support/streams-app.js';
import { tcpProxy } from '../support/tcp-proxy.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
closeAppsAfterEach();

const GROUP = 'billing';
const age = expect.any(Number);

/** The inspection of an app's only stream. */
async function inspectionOf({ monitor }: StreamsApp, stream: string) {
  const { streams } = await monitor.inspect();
  const inspection = streams.find((one) => one.stream === stream);
  if (inspection === undefined) throw new Error(`${stream} is not inspected`);
  return inspection;
}

/** An app whose handler for `stream` waits until it is released. */
async function holdingApp(stream: string): Promise<StreamsApp & { letGo: () => void }> {
  let letGo: () => void = () => undefined;
  const gone = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const app = await streamsApp(
    { connection: redis.url, group: GROUP, startFrom: 'beginning', batchSize: 1 },
    { controllers: [handlerOf(stream, () => gone)] },
  );
  return { ...app, letGo };
}

describe('monitor.inspect()', () => {
  it('shows a stream and its group in Redis; nothing was published yet', async () => {
    const stream = freshName('orders');
    const app = await streamsApp(
      { connection: redis.url, group: GROUP },
      { controllers: [handlerOf(stream, () => undefined)] },
    );
    const { at, server, streams, process: here } = await app.monitor.inspect();
    const idle = streams[0]?.consumers[0]?.idleMs;
    expect(idle ?? 0).toBeGreaterThanOrEqual(0);
    expect(Math.abs(at.getTime() - Date.now())).toBeLessThan(60_000);
    expect(server).toMatchObject({ version: expect.any(String), role: 'primary' });
    expect(here.group).toBe(GROUP);
    expect(streams).toEqual([
      {
        stream,
        group: GROUP,
        exists: true,
        groupExists: true,
        length: 0,
        firstEntryAgeMs: undefined,
        lastEntryAgeMs: undefined,
        lag: 0,
        oldestUnreadAgeMs: undefined,
        pending: 0,
        oldestPendingAgeMs: undefined,
        retries: { waiting: 0, nextDueInMs: undefined },
        deadLetters: { count: 0, oldestAgeMs: undefined },
        ledgerSize: 0,
        retentionHeadroom: undefined,
        membersAlive: 1,
        consumers: [
          {
            name: app.server.options.consumer,
            // Some versions of Redis list a waiting consumer, others only one that was given an entry.
            idleMs: idle,
            pending: 0,
            isAlive: true,
            version: here.version,
          },
        ],
      },
    ]);
  });

  it('shows what is unread, pending, handled, waiting and dead, each with its age', async () => {
    const stream = freshName('orders');
    const app = await streamsApp(
      {
        connection: redis.url,
        group: GROUP,
        retry: { maxAttempts: 2, backoff: { type: 'fixed', delayMs: 60_000, jitter: 0 } },
        streams: { [stream]: { retention: { maxAgeMs: 3_600_000 } } },
      },
      {
        controllers: [
          handlerOf<string>(stream, (data, context) => {
            if (data === 'later') throw new Error('not yet');
            if (data === 'never') context.deadLetter('never');
          }),
        ],
      },
    );
    for (const data of ['fine', 'later', 'never']) await app.emit(stream, data);
    await waitFor(() => {
      const { counts } = app.monitor.getStats();
      return counts.handled + counts.failed === 3;
    });
    await waitFor(async () => (await inspectionOf(app, stream)).deadLetters.count === 1);
    const inspection = await waitFor(async () => {
      const now = await inspectionOf(app, stream);
      return now.retries.waiting === 1 && now.pending === 1 ? now : undefined;
    });
    expect(inspection).toMatchObject({
      length: 3,
      firstEntryAgeMs: age,
      lastEntryAgeMs: age,
      lag: 0,
      pending: 1,
      oldestPendingAgeMs: age,
      deadLetters: { count: 1, oldestAgeMs: age },
      ledgerSize: 1,
      consumers: [{ name: app.server.options.consumer, pending: 1, idleMs: age }],
    });
    expect(inspection.retries.nextDueInMs).toBeGreaterThan(30_000);
    expect(inspection.retries.nextDueInMs).toBeLessThanOrEqual(60_000);
    expect(inspection.retentionHeadroom).toBeGreaterThan(0.9);
  });

  it('knows the lag of a group that has begun, even if Redis has trimmed what it had not read', async () => {
    const stream = freshName('orders');
    await addEntries(redis.client, stream, [...Array(10).keys()]);
    const app = await holdingApp(stream);
    await waitFor(() => app.monitor.getStats().inFlight === 1);
    const lag = async (): Promise<unknown> => (await inspectionOf(app, stream)).lag;
    const given = (await inspectionOf(app, stream)).pending;
    expect(await lag()).toBe(10 - given);
    await redis.client.xtrim(stream, 'MAXLEN', 3);
    expect(await lag()).toBe(3);
    await addEntries(redis.client, stream, [10, 11]);
    expect(await lag()).toBe(5);
    app.letGo();
    await waitFor(() => isCaughtUp(redis.client, stream, GROUP));
    expect(await lag()).toBe(0);
  });

  it("leaves the lag out if it would have to count too many entries and Redis's number is unreliable", async () => {
    const stream = freshName('orders');
    await addEntries(redis.client, stream, [...Array(600).keys()]);
    const app = await holdingApp(stream);
    await waitFor(() => app.monitor.getStats().inFlight === 1);
    // Nothing has left the stream: Redis counts correctly, if it counts at all.
    const [major = 0] = ((await app.monitor.inspect()).server.version ?? '').split('.').map(Number);
    const { pending } = await inspectionOf(app, stream);
    expect((await inspectionOf(app, stream)).lag).toBe(major < 7 ? undefined : 600 - pending);
    const [, , middle] = await redis.client.xrange(stream, '-', '+', 'COUNT', 400);
    await redis.client.xdel(stream, middle?.[0] ?? '');
    await redis.client.xdel(stream, ...(await idsOf(stream, 300, 310)));
    expect((await inspectionOf(app, stream)).lag).toBeUndefined();
    expect((await inspectionOf(app, stream)).oldestUnreadAgeMs).toEqual(age);
    app.letGo();
  });

  it('says so if the stream does not exist, or the key is not a stream', async () => {
    const stream = freshName('orders');
    const app = await streamsApp(
      { connection: redis.url, group: GROUP, recovery: { intervalMs: 60_000 } },
      { controllers: [handlerOf(stream, () => undefined)] },
    );
    await app.server.drain();
    await redis.client.del(stream);
    expect(await inspectionOf(app, stream)).toMatchObject({
      exists: false,
      groupExists: false,
      length: 0,
      lag: undefined,
      consumers: [],
    });
    await redis.client.set(stream, 'a text');
    expect(await inspectionOf(app, stream)).toMatchObject({ exists: false, length: 0 });
    await redis.client.del(stream);
    await addEntries(redis.client, stream, [1]);
    expect(await inspectionOf(app, stream)).toMatchObject({ exists: true, groupExists: false });
  });

  it('asks about many streams in one round trip', async () => {
    const streams = [...Array(8).keys()].map(() => freshName('orders'));
    const app = await streamsApp(
      { connection: redis.url, group: GROUP },
      { controllers: streams.map((stream) => handlerOf(stream, () => undefined)) },
    );
    // The first time, Redis receives the script itself.
    await app.monitor.inspect();
    const [commands] = app.server.unwrap();
    const sendCommand = jest.spyOn(commands, 'sendCommand');
    // The server's own commands meanwhile do not involve a ledger.
    const asked = (): string[] =>
      sendCommand.mock.calls
        .map(([{ name, args }]) => [name.toUpperCase(), args.join(' ')] as const)
        .filter(([name, args]) => name !== 'EVALSHA' || args.includes(':processed'))
        .map(([name]) => name)
        .filter((name) => ['INFO', 'COMMAND', 'EVALSHA', 'HELLO', 'ROLE', 'CONFIG'].includes(name));
    const answer = app.monitor.inspect();
    await Promise.resolve();
    const atOnce = asked();
    const { streams: inspected } = await answer;
    const inAll = asked();
    sendCommand.mockRestore();
    expect(inspected.map(({ stream }) => stream)).toEqual(streams);
    expect(atOnce.sort()).toEqual(['COMMAND', ...streams.map(() => 'EVALSHA'), 'INFO']);
    expect(inAll.sort()).toEqual(atOnce);
  });

  it('ends with a NoAnswerError if Redis does not answer, and works again afterwards', async () => {
    const stream = freshName('orders');
    const proxy = await tcpProxy(redis.url);
    const app = await streamsApp(
      { connection: proxy.url, group: GROUP },
      { controllers: [handlerOf(stream, () => undefined)] },
    );
    proxy.freeze();
    await expect(app.monitor.inspect({ timeoutMs: 50 })).rejects.toThrow(NoAnswerError);
    await expect(app.monitor.inspect({ timeoutMs: 50 })).rejects.toMatchObject({
      code: 'NO_ANSWER',
      timeoutMs: 50,
    });
    proxy.thaw();
    expect((await app.monitor.inspect()).streams).toHaveLength(1);
    await app.close();
    await proxy.close();
  });
});

describe('monitor.getStats()', () => {
  it('counts each stream separately, with how long handlers ran and how long messages waited for them', async () => {
    const [one, two] = [freshName('orders'), freshName('orders')];
    const app = await streamsApp(
      { connection: redis.url, group: GROUP },
      { controllers: [handlerOf(one, () => undefined), handlerOf(two, () => undefined)] },
    );
    // By the time of the first message, Redis's clock is known.
    for (const n of [1, 2, 3]) await app.emit(one, n);
    const twice = new RedisStreamsRecordBuilder(1).setMessageId('twice').build();
    await app.emit(two, twice);
    await addEntries(redis.client, two, [1], 'twice');
    await waitFor(() => app.monitor.getStats().counts.duplicate === 1);
    await waitFor(() => app.monitor.getStats().counts.handled === 4);
    const { byStream, counts } = app.monitor.getStats();
    expect(counts).toMatchObject({ handled: 4, duplicate: 1 });
    expect(byStream).toMatchObject([
      { stream: one, inFlight: 0, counts: { handled: 3, duplicate: 0 } },
      { stream: two, inFlight: 0, counts: { handled: 1, duplicate: 1 } },
    ]);
    expect(byStream[0]?.handlerDuration).toMatchObject({ count: 3, sumMs: expect.any(Number) });
    expect(byStream[0]?.publishToHandle.count).toBe(3);
    expect(byStream[0]?.publishToHandle.sumMs).toBeLessThan(60_000);
  });

  it('counts lost connections', async () => {
    const proxy = await tcpProxy(redis.url);
    const app = await streamsApp(
      { connection: proxy.url, group: GROUP },
      { controllers: [handlerOf(freshName('orders'), () => undefined)] },
    );
    expect(app.monitor.getStats().reconnects).toBe(0);
    proxy.resetAll();
    await waitFor(() => app.monitor.getStats().reconnects === 2);
    await app.close();
    await proxy.close();
  });

  it('reports for each job whether it is scheduled, when it last ran, what it removed and how long it took', async () => {
    const stream = freshName('orders');
    const { monitor, app } = await streamsApp(
      {
        connection: redis.url,
        group: GROUP,
        dedup: { windowMs: 60_000 },
        maintenance: { ledgerIntervalMs: 1_000 },
      },
      { controllers: [handlerOf(stream, () => undefined)] },
    );
    const jobOf = (name: string) => monitor.getStats().jobs.find((job) => job.name === name);
    expect(jobOf('redis-streams:ledger')).toEqual({
      name: 'redis-streams:ledger',
      everyMs: 1_000,
      scheduled: true,
      running: false,
      lastRunAt: undefined,
      lastRemoved: undefined,
      lastDurationMs: undefined,
      lastError: undefined,
    });
    await redis.client.zadd(`stream:{${stream}}:group:${GROUP}:processed`, 1, 'old');
    await waitFor(() => jobOf('redis-streams:ledger')?.lastRemoved === 1);
    expect(jobOf('redis-streams:ledger')).toMatchObject({
      lastRunAt: expect.any(Date),
      lastDurationMs: expect.any(Number),
      lastError: undefined,
    });
    expect(jobOf('redis-streams:retention')).toMatchObject({ scheduled: true });
    app.get(LedgerMaintenanceJob).run = () => Promise.reject(new Error('out of order'));
    await waitFor(() => jobOf('redis-streams:ledger')?.lastError === 'out of order');
    await app.close();
    expect(jobOf('redis-streams:ledger')).toMatchObject({ scheduled: false });
  });
});

/** The IDs of the entries between two positions of a stream. */
async function idsOf(stream: string, from: number, to: number): Promise<string[]> {
  const entries = await redis.client.xrange(stream, '-', '+', 'COUNT', to);
  return entries.slice(from).map(([id]) => id);
}
