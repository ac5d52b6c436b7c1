import { setTimeout as delay } from 'node:timers/promises';

import { describe, expect, it } from '@jest/globals';
import { lastValueFrom } from 'rxjs';

import { asClient } from '../../lib/redis/connect/cluster-client.js';
import { answeringController } from '../support/answering-controller.js';
import { canHaveCluster, clusterForTests } from '../support/cluster-for-tests.js';
import { freshName } from '../support/fresh-name.js';
import { groupState, isCaughtUp } from '../support/group-state.js';
import { logged } from '../support/recorded-log.js';
import { closeAppsAfterEach, type StreamsApp, streamsApp } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const GROUP = 'pricing';
/** The shortest. */
const LEASE_MS = 1_000;
const PATIENCE = { timeoutMs: 30_000 };
const withCluster = (await canHaveCluster()) ? describe : describe.skip;
closeAppsAfterEach();

withCluster('requests on a Redis Cluster', () => {
  const servers = clusterForTests();

  const member = (stream: string, runs: unknown[]): Promise<StreamsApp> =>
    streamsApp(
      {
        connection: servers.redis.connection,
        group: GROUP,
        recovery: { minIdleMs: LEASE_MS, intervalMs: 100 },
      },
      {
        controllers: [
          answeringController<number>(stream, (n) => {
            runs.push(n);
            return n;
          }),
        ],
      },
    );

  const request = (stream: string, n: number, inbox: string): Promise<unknown> => {
    const fields = { 'request-id': `r${n}`, 'request-inbox': inbox, 'request-timeout-ms': 60_000 };
    const message = { name: stream, body: n, ...fields };
    return servers.redis.client.xadd(stream, '*', ...Object.entries(message).flat());
  };

  const caughtUp = (stream: string): Promise<unknown> =>
    waitFor(() => isCaughtUp(asClient(servers.redis.client), stream, GROUP), PATIENCE);

  /** An inbox that another node has than the stream. */
  async function inboxElsewhere(stream: string): Promise<string> {
    const { redis } = servers;
    const here = await redis.masterOf(stream);
    for (;;) {
      const inbox = `stream:replies:{${freshName('inbox')}}`;
      if ((await redis.masterOf(inbox)) !== here) return inbox;
    }
  }

  it('whose reply waits for a node longer than a lease is renewed meanwhile, and runs once', async () => {
    const { redis } = servers;
    const stream = freshName('quote');
    const inbox = await inboxElsewhere(stream);
    await redis.client.xadd(inbox, '*', 'a', 'b');
    const runs: unknown[] = [];
    await member(stream, runs);
    await member(stream, runs);
    const away = (await redis.masterOf(inbox)).client;
    await away.call('CLIENT', 'PAUSE', 60_000, 'WRITE');
    try {
      await request(stream, 1, inbox);
      await waitFor(() => runs.length > 0, PATIENCE);
      await delay(2.2 * LEASE_MS);
      expect(runs).toEqual([1]);
      expect(await groupState(asClient(redis.client), stream, GROUP)).toMatchObject({ pending: 1 });
    } finally {
      await away.call('CLIENT', 'UNPAUSE');
    }
    await caughtUp(stream);
    expect(runs).toEqual([1]);
    expect(await redis.client.xlen(inbox)).toBe(2);
  });

  it('whose inbox is not in one slot are settled and reported, and others are answered', async () => {
    const stream = freshName('quote');
    const inbox = `stream:replies:${freshName('inbox')}`;
    const runs: unknown[] = [];
    const { client } = await member(stream, runs);
    for (let n = 0; n < 20; n++) await request(stream, n, inbox);
    expect(await lastValueFrom(client.send<number>(stream, 99))).toBe(99);
    await caughtUp(stream);
    expect(runs).toHaveLength(21);
    const lines = logged('error', inbox);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/refused the replies/);
    expect(await servers.redis.client.exists(inbox)).toBe(0);
  });
});
