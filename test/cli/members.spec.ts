import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';

import { childProgram, endChildPrograms } from '../support/child-program.js';
import { commandLineForTests } from '../support/command-line-for-tests.js';
import { compiledPackage, type CompiledPackage } from '../support/compiled-package.js';
import { freshName, freshPrefix } from '../support/fresh-name.js';
import { addEntries } from '../support/group-state.js';
import { aliveUntil, recordOf, redisNow, writeMember } from '../support/members.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach, handlerOf, streamsApp } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const GROUP = 'billing';
const OFTEN = { minIdleMs: 1_000, intervalMs: 200 };
const PATIENCE = { timeoutMs: 60_000 };

const redis = redisForTests();
const nestStreams = commandLineForTests(redis);
closeAppsAfterEach();
afterEach(endChildPrograms);

interface Findings {
  readonly findings: readonly { check: string; stream?: string; what: string; todo: string }[];
  readonly members: readonly { group: string; consumer: string; version?: string }[];
}

const doctor = async (...args: string[]): Promise<Findings> =>
  (await nestStreams.json(['doctor', ...args])) as Findings;

/** Waits for a time by Redis's clock. */
async function passed(client: Redis, ms: number): Promise<void> {
  const from = await redisNow(client);
  await waitFor(async () => (await redisNow(client)) > from + ms, PATIENCE);
}

describe('a member with a blocked read', () => {
  it('is alive for overview, groups, consumers and doctor, even if Redis does not list it', async () => {
    const prefix = freshPrefix();
    const app = await streamsApp(
      {
        connection: redis.url,
        group: GROUP,
        keyPrefix: prefix,
        blockMs: 600_000,
        streams: { spread: { partitions: 2 } },
      },
      { controllers: ['orders', 'spread'].map((stream) => handlerOf(stream, () => undefined)) },
    );
    const { consumer, version } = app.monitor.getStats();
    await passed(redis.client, 1_000);
    const row = { group: GROUP, alive: 1, versions: [version] };
    // Members that share partitions count as alive for five seconds: on a busy machine one may report itself too late.
    await waitFor(async () => {
      const [overview, groups, consumers, table, found] = await Promise.all([
        nestStreams.json(['overview', '--prefix', prefix]),
        nestStreams.json(['groups', 'orders', '--prefix', prefix]),
        nestStreams.json(['consumers', 'orders', GROUP, '--prefix', prefix]),
        nestStreams.run(['consumers', 'orders', GROUP, '--prefix', prefix]),
        doctor('--prefix', prefix, '--gone-after', '1ms'),
      ]);
      expect(overview).toMatchObject([
        { stream: 'orders', ...row },
        { stream: '{spread:0}', ...row },
        { stream: '{spread:1}', ...row },
      ]);
      expect(groups).toMatchObject([row]);
      expect(consumers).toMatchObject([{ name: consumer, isAlive: true, version }]);
      expect(table.stdout).toMatch(new RegExp(` yes +${version.replaceAll('.', '\\.')}$`, 'm'));
      expect(found.findings).toEqual([]);
      expect(found.members).toEqual([{ group: GROUP, consumer, version }]);
      return true;
    }, PATIENCE);
  });

  it('is shown with a member of an older version, and doctor shows both versions', async () => {
    const stream = freshName('orders');
    const app = await streamsApp(
      { connection: redis.url, group: GROUP },
      { controllers: [handlerOf(stream, () => undefined)] },
    );
    const { version } = app.monitor.getStats();
    await writeMember(redis.client, recordOf(stream, GROUP), 'older', 60_000, '0.0.9');
    const [overview, consumers, { stdout }] = await Promise.all([
      nestStreams.json(['overview', stream]),
      nestStreams.json(['consumers', stream, GROUP]),
      nestStreams.run(['doctor', stream]),
    ]);
    expect(overview).toMatchObject([{ alive: 2, versions: ['0.0.9', version].sort() }]);
    expect(consumers).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ name: 'older', isAlive: true, version: '0.0.9' }),
        expect.objectContaining({ isAlive: true, version }),
      ]),
    );
    expect(stdout).toContain(`"${GROUP}" 1 of version ${version} and 1 of version 0.0.9.`);
  });
});

describe('a member that was killed', () => {
  let compiled: CompiledPackage;
  beforeAll(async () => {
    compiled = await compiledPackage('test/support/programs');
  });

  it('is dead when its time is over, however short its idle time; only then doctor suggests XGROUP DESTROY', async () => {
    const stream = freshName('orders');
    const options = { connection: redis.url, group: GROUP, consumer: 'one', recovery: OFTEN };
    const program = childProgram(compiled.program('test/support/programs/member.program.ts'), {
      env: { STREAM: stream, OPTIONS: JSON.stringify(options) },
    });
    await waitFor(() => program.output().includes('listening'), PATIENCE);
    const args = [stream, '--gone-after', '7d'];
    await waitFor(async () => (await doctor(...args)).findings.length === 0, PATIENCE);
    program.kill('SIGKILL');
    await program.ended;
    const until = await aliveUntil(redis.client, recordOf(stream, GROUP), 'one');
    await waitFor(async () => (await redisNow(redis.client)) > until, PATIENCE);
    const [{ findings, members }, overview, { stdout }] = await Promise.all([
      doctor(...args),
      nestStreams.json(['overview', stream]),
      nestStreams.run(['overview', stream]),
    ]);
    expect(members).toEqual([]);
    const [finding, ...others] = findings;
    expect(others).toEqual([]);
    expect(finding?.check).toBe('no-consumers');
    expect(finding?.todo).toContain(`XGROUP DESTROY ${stream} ${GROUP}`);
    // Its members report themselves, and none is alive.
    expect(finding?.what).not.toContain('other programs');
    expect(overview).toMatchObject([{ alive: 0, versions: [] }]);
    expect(stdout).toMatch(/ 0$/m);
  });
});

describe('a group whose members do not report themselves', () => {
  it('is judged by what Redis lists, and doctor says so', async () => {
    const stream = freshName('orders');
    await redis.client.xgroup('CREATE', stream, GROUP, '0', 'MKSTREAM');
    await addEntries(redis.client, stream, [1]);
    await redis.client.xreadgroup('GROUP', GROUP, 'python', 'COUNT', 1, 'STREAMS', stream, '>');
    const [overview, consumers, table, found] = await Promise.all([
      nestStreams.json(['overview', stream]),
      nestStreams.json(['consumers', stream, GROUP]),
      nestStreams.run(['overview', stream]),
      doctor(stream),
    ]);
    const [row] = overview as [object];
    expect(row).toMatchObject({ consumers: 1 });
    expect(row).not.toHaveProperty('alive');
    const [consumer] = consumers as [object];
    expect(consumer).toMatchObject({ name: 'python', pending: 1 });
    expect(consumer).not.toHaveProperty('isAlive');
    expect(table.stdout).toMatch(/ 1\?$/m);
    expect(found).toMatchObject({ findings: [], members: [] });
    await passed(redis.client, 5);
    const { findings } = await doctor(stream, '--gone-after', '1ms');
    const finding = findings.find(({ check }) => check === 'no-consumers');
    expect(finding?.what).toContain('other programs');
    expect(finding?.todo).toContain('you know that nothing else reads with this group');
  });

  it('is alive as long as it reads, and is not called dead if one of our members is in the group too', async () => {
    const stream = freshName('orders');
    await redis.client.xgroup('CREATE', stream, GROUP, '0', 'MKSTREAM');
    await addEntries(redis.client, stream, [1]);
    await redis.client.xreadgroup('GROUP', GROUP, 'python', 'COUNT', 1, 'STREAMS', stream, '>');
    await writeMember(redis.client, recordOf(stream, GROUP), 'ours', -1, '0.0.9');
    expect((await doctor(stream)).findings).toEqual([]);
  });
});
