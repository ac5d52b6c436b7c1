import { describe, expect, it } from '@jest/globals';

import { dtpyfwLedgerKey, streamKeys } from '../../lib/wire/stream-keys.js';
import { commandLineForTests } from '../support/command-line-for-tests.js';
import { hasTerminal } from '../support/command-line.js';
import { freshName } from '../support/fresh-name.js';
import { LedgerConsumer } from '../support/ledger-consumer.js';
import { addEntries, groupState } from '../support/group-state.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach, handlerOf, streamsApp } from '../support/streams-app.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
const nestStreams = commandLineForTests(redis);
const inTerminal = hasTerminal ? it : it.skip;

closeAppsAfterEach();

/** Dead letters of a group that has never run, as its members write them. */
async function deadLetters(count: number): Promise<{ stream: string; ids: string[] }> {
  const stream = freshName('orders');
  const { deadLetters: key } = streamKeys('', stream, 'billing');
  const pipeline = redis.client.pipeline();
  for (let n = 0; n < count; n++) {
    const fields = ['name', stream, 'body', String(n), 'id', `order-${n}`];
    const error = n % 2 === 0 ? 'TimeoutError' : 'TypeError';
    const why = ['dead-letter-reason', 'no attempts are left', 'dead-letter-error-name', error];
    pipeline.xadd(key, '*', ...fields, ...why, 'dead-letter-attempts', '5');
  }
  const replies = (await pipeline.exec()) ?? [];
  return { stream, ids: replies.map(([, id]) => String(id)) };
}

describe('nest-streams publish', () => {
  it('publishes a message as a handler gets it, from the argument or stdin, with its ID, name, key and headers', async () => {
    const stream = freshName('orders');
    const got: unknown[] = [];
    const handler = handlerOf(stream, (data, context) => {
      const { trace } = context.getHeaders();
      got.push([data, context.getMessageId(), context.getName(), context.getKey(), trace]);
    });
    await streamsApp({ connection: redis.url, group: 'billing' }, { controllers: [handler] });
    const options = ['--message-id', 'order-7', '--name', 'order.created', '--key', 'k'];
    const args = [
      'publish',
      stream,
      '{"item":"tea"}',
      ...options,
      '--header',
      'trace=1=2',
      '--json',
    ];
    const first = await nestStreams.run(args);
    const second = await nestStreams.run(args);
    const third = await nestStreams.run(['publish', stream, '--text'], 'plain');
    expect([first.code, second.code, third.code]).toEqual([0, 0, 0]);
    const { entryId } = JSON.parse(first.stdout);
    expect(JSON.parse(second.stdout)).toEqual({
      stream,
      entryId,
      messageId: 'order-7',
      duplicate: true,
    });
    await waitFor(() => got.length === 2);
    expect(got[0]).toEqual([{ item: 'tea' }, 'order-7', 'order.created', 'k', '1=2']);
    expect(got[1]).toEqual(expect.arrayContaining(['plain']));
  });

  it('--lines publishes each line in order, and says which one is not JSON', async () => {
    const stream = freshName('orders');
    const lines = Array.from({ length: 2_500 }, (_, n) => String(n)).join('\n');
    const all = await nestStreams.run(['publish', stream, '--lines'], `${lines}\n`);
    expect(all).toMatchObject({ code: 0, stdout: 'Published 2500 messages.\n' });
    const entries = await redis.client.xrange(stream, '-', '+');
    expect(entries.map(([, fields]) => Number(fields[3]))).toEqual(
      Array.from({ length: 2_500 }, (_, n) => n),
    );
    const some = await nestStreams.run(['publish', stream, '--lines'], '1\n2\n{oops\n4\n');
    expect(some).toMatchObject({ code: 1, stderr: expect.stringContaining('line 3') });
    expect(await redis.client.xlen(stream)).toBe(2_502);
  });
});

describe('nest-streams dead-letters', () => {
  it('lists, shows and redrives: a handler runs them again', async () => {
    const { stream, ids } = await deadLetters(4);
    const where = [stream, 'billing'];
    const [list, show, table] = await Promise.all([
      nestStreams.json(['dead-letters', 'list', ...where, '--limit', '2', '--before', ids[3]!]),
      nestStreams.json(['dead-letters', 'show', ...where, ids[0]!]),
      nestStreams.run(['dead-letters', 'list', ...where]),
    ]);
    expect(list).toMatchObject([{ id: ids[2] }, { id: ids[1] }]);
    const error = { name: 'TimeoutError' };
    expect(show).toMatchObject({
      id: ids[0],
      messageId: 'order-0',
      payload: 0,
      attempts: 5,
      error,
    });
    expect(table.stdout).toMatch(new RegExp(`^${ids[0]} +order-0 .* 5 +TimeoutError`, 'm'));
    expect(Math.max(...table.stdout.split('\n').map(({ length }) => length))).toBeLessThan(81);

    const got: unknown[] = [];
    const handler = handlerOf(stream, (data) => got.push(data));
    await streamsApp({ connection: redis.url, group: 'billing' }, { controllers: [handler] });
    const error2 = ['--error', 'TimeoutError', '--limit', '1'];
    expect(await nestStreams.json(['dead-letters', 'redrive', ...where, ids[3]!])).toEqual({
      redriven: 1,
    });
    expect(await nestStreams.json(['dead-letters', 'redrive', ...where, ...error2])).toEqual({
      redriven: 1,
    });
    await waitFor(() => got.length === 2);
    expect(got).toEqual([3, 0]);
  });

  it('purges only if it was confirmed', async () => {
    const { stream, ids } = await deadLetters(3);
    const purge = ['dead-letters', 'purge', stream, 'billing'];
    const { deadLetters: key } = streamKeys('', stream, 'billing');
    const asked = await nestStreams.run([...purge, '--all']);
    expect(asked).toMatchObject({ code: 2, stderr: expect.stringContaining('--yes') });
    expect(await redis.client.xlen(key)).toBe(3);
    expect(await nestStreams.json([...purge, ids[0]!, '--yes'])).toEqual({ purged: 1 });
    expect(await nestStreams.json([...purge, '--all', '--yes'])).toEqual({ purged: 2 });
    const none = await nestStreams.run(['dead-letters', 'list', stream, 'billing']);
    expect(none).toMatchObject({ code: 1, stderr: expect.stringContaining('no stream') });
  });

  inTerminal('asks in a terminal, and does nothing if the answer is no', async () => {
    const { stream } = await deadLetters(2);
    const { deadLetters: key } = streamKeys('', stream, 'billing');
    for (const [answer, code, left] of [
      ['n\r', 1, 2],
      ['\u0003', 1, 2],
      ['y\r', 0, 0],
    ] as const) {
      const purge = nestStreams.startInTerminal([
        'dead-letters',
        'purge',
        stream,
        'billing',
        '--all',
      ]);
      await waitFor(() => purge.output().includes('[y/N]'));
      purge.write(answer);
      expect([answer, (await purge.ended).code]).toEqual([answer, code]);
      expect(await redis.client.xlen(key)).toBe(left);
    }
  });

  inTerminal(
    'redrive shows a bar with counts and time left, and none without a terminal',
    async () => {
      const { stream } = await deadLetters(350);
      const redrive = ['dead-letters', 'redrive', stream, 'billing', '--all'];
      const terminal = nestStreams.startInTerminal(redrive);
      terminal.endInput('');
      const { code, stdout } = await terminal.ended;
      expect(code).toBe(0);
      expect(stdout).toMatch(/Redriving \[█+\] 350\/350 \| \S+ left/);
      expect(stdout).toContain('350 redriven.');
      const plain = await nestStreams.run(redrive);
      expect(plain).toEqual({ code: 0, stdout: '0 redriven.\n', stderr: '' });
    },
  );
});

describe('nest-streams trim', () => {
  it('stops at the oldest entry that some group has not finished, and --dry-run says so', async () => {
    const stream = freshName('orders');
    const ids = await addEntries(
      redis.client,
      stream,
      Array.from({ length: 2_500 }, (_, n) => n),
    );
    await redis.client.xgroup('CREATE', stream, 'billing', ids[1_999]!);
    await redis.client.xgroup('CREATE', stream, 'slow', ids[999]!);
    const trim = ['trim', stream, '--max-length', '100'];
    const plan = { removed: 1_000, lost: 0, beyond: 2_400, unfinished: 1_400 };
    expect(await nestStreams.json([...trim, '--dry-run'])).toEqual({
      ...plan,
      dryRun: true,
      stream,
      held: { entryId: ids[1_000], group: 'slow' },
    });
    const ignoring = [...trim, '--ignore-group', 'slow', '--dry-run'];
    expect(await nestStreams.json(ignoring)).toMatchObject({ removed: 2_000, unfinished: 400 });
    const byAge = ['trim', stream, '--max-age', '1h', '--dry-run'];
    expect(await nestStreams.json(byAge)).toMatchObject({ removed: 0, beyond: 0 });
    expect(await redis.client.xlen(stream)).toBe(2_500);

    expect(await nestStreams.run(trim)).toMatchObject({ code: 2 });
    const { code, stdout } = await nestStreams.run([...trim, '--yes']);
    expect([code, stdout]).toEqual([0, expect.stringContaining('group "slow"')]);
    const [first] = await redis.client.xrange(stream, '-', '+', 'COUNT', 1);
    // Redis removes whole nodes of a hundred.
    expect(ids.indexOf(first![0])).toBeGreaterThanOrEqual(900);
    expect(ids.indexOf(first![0])).toBeLessThanOrEqual(1_000);

    expect(await nestStreams.run([...trim, '--force', '--yes'])).toMatchObject({ code: 0 });
    expect(await redis.client.xlen(stream)).toBeLessThanOrEqual(200);
  });
});

describe('nest-streams reset-group and ledger', () => {
  it('a group that is moved back runs again only what is not in its ledger', async () => {
    const stream = freshName('orders');
    const got: unknown[] = [];
    const handler = handlerOf(stream, (data) => got.push(data), { startFrom: 'beginning' });
    await addEntries(redis.client, stream, ['a'], 'order-a');
    await addEntries(redis.client, stream, ['b'], 'order-b');
    const options = { connection: redis.url, group: 'billing' };
    const { monitor } = await streamsApp(options, { controllers: [handler] });
    await waitFor(() => got.length === 2);
    const group = [stream, 'billing'];
    expect(await nestStreams.json(['ledger', 'size', ...group])).toMatchObject([
      { size: 2, leases: 0 },
    ]);

    expect(await nestStreams.run(['ledger', 'forget', ...group, 'order-b'])).toMatchObject({
      code: 2,
    });
    const forget = ['ledger', 'forget', ...group, 'order-b', 'order-z', '--yes'];
    expect(await nestStreams.json(forget)).toEqual({ forgotten: 1, asked: 2 });
    const reset = ['reset-group', ...group, '--to', 'beginning'];
    expect(await nestStreams.run(reset)).toMatchObject({ code: 2 });
    expect(await nestStreams.json([...reset, '--yes'])).toMatchObject({ after: '0-0', ledger: 1 });
    await waitFor(() => monitor.getStats().counts.duplicate === 1);
    await waitFor(() => got.length === 3);
    expect(got).toEqual(['a', 'b', 'b']);

    await nestStreams.json([...reset, '--forget-ledger', '--yes']);
    await waitFor(() => got.length === 5);
    expect(got).toEqual(['a', 'b', 'b', 'a', 'b']);
  });

  it('a group that is moved back in time says before what it would get, and runs again what --ignore-ledger names', async () => {
    const stream = freshName('orders');
    const got: unknown[] = [];
    const handler = handlerOf(stream, (data) => got.push(data), { startFrom: 'beginning' });
    const now = Date.now();
    const addAt = (ms: number, n: number): Promise<unknown> =>
      redis.client.xadd(stream, `${ms}-0`, 'name', stream, 'body', `${n}`, 'id', `order-${n}`);
    await addAt(now - 90_000_000, 1);
    await addAt(now - 3_600_000, 2);
    await addAt(now - 1_000, 3);
    await streamsApp({ connection: redis.url, group: 'billing' }, { controllers: [handler] });
    await waitFor(() => got.length === 3);
    const group = [stream, 'billing'];
    const { ledger } = streamKeys('', stream, 'billing');
    await waitFor(async () => (await redis.client.zcard(ledger)) === 3);
    await redis.client.zrem(ledger, 'order-2');

    const dryRun = ['reset-group', ...group, '--to', '24h', '--dry-run'];
    expect(await nestStreams.json(dryRun)).toMatchObject({ messages: 2, handled: 1 });
    expect((await nestStreams.run(dryRun)).stdout).toBe(
      'The group would get 2 messages. 1 of them are in its ledger: they are not run again; --ignore-ledger runs them.\n',
    );
    const since = new Date(now - 1_000).toISOString();
    const exactly = ['reset-group', ...group, '--to', since, '--dry-run'];
    expect(await nestStreams.json(exactly)).toMatchObject({ messages: 1, handled: 1 });
    expect(got).toHaveLength(3);

    await nestStreams.json(['reset-group', ...group, '--to', '24h', '--ignore-ledger', '--yes']);
    await waitFor(() => got.length === 5);
    expect(got.slice(3)).toEqual([2, 3]);
    expect(await redis.client.zscore(ledger, 'order-1')).not.toBeNull();
  });

  it('a reset refuses a time that has not come, and both ways to run messages again', async () => {
    const stream = freshName('orders');
    await redis.client.xgroup('CREATE', stream, 'billing', '0', 'MKSTREAM');
    const reset = ['reset-group', stream, 'billing', '--yes', '--to'];
    const future = new Date(Date.now() + 3_600_000).toISOString();
    expect(await nestStreams.run([...reset, future])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`${future} is in the future`),
    });
    const both = [...reset, '1h', '--ignore-ledger', '--forget-ledger'];
    expect(await nestStreams.run(both)).toMatchObject({ code: 2 });
  });

  it('packed message IDs are counted, forgotten and emptied like the others', async () => {
    const stream = freshName('orders');
    const group = [stream, 'billing'];
    const ledger = new LedgerConsumer(redis.client, stream);
    const { keys } = ledger;
    await addEntries(redis.client, stream, [1]);
    await redis.client.xgroup('CREATE', stream, 'billing', '0');
    await redis.client.zadd(keys.ledger, ...[1, 2, 3, 4].flatMap((n) => [Date.now(), `o-${n}`]));
    await ledger.packStep(3, 1);
    const size = await nestStreams.json(['ledger', 'size', ...group]);
    expect(size).toMatchObject([{ size: 4, packed: 3, newest: expect.any(String) }]);
    const forget = ['ledger', 'forget', ...group, 'o-1', 'o-4', 'o-5', '--yes'];
    expect(await nestStreams.json(forget)).toEqual({ forgotten: 2, asked: 3 });
    const reset = ['reset-group', ...group, '--to', 'latest', '--forget-ledger', '--yes'];
    await nestStreams.json(reset);
    expect(await redis.client.exists(keys.ledger, keys.packedLedger)).toBe(0);
  });

  it("import takes over dtpyfw's ledger, or the ZSET that --from names, and may be repeated", async () => {
    const stream = freshName('orders');
    const group = [stream, 'billing'];
    const { ledger } = streamKeys('', stream, 'billing');
    const now = Date.now();
    await redis.client.zadd(
      dtpyfwLedgerKey('', stream, 'billing'),
      now,
      '1-0',
      now,
      '2-0',
      1,
      '3-0',
    );
    const command = ['ledger', 'import', ...group];
    expect(await nestStreams.json(command)).toEqual({ imported: 2, known: 0, outside: 1 });
    expect((await nestStreams.run(command)).stdout).toBe(
      '0 message IDs imported into the ledger. It had 2 of them already, and 1 are older than the window.\n',
    );
    expect((await redis.client.zrange(ledger, 0, '-1')).sort()).toEqual(['1-0', '2-0']);
    const other = freshName('processed');
    const from = [...command, '--from', other, '--window', '1h'];
    const refused = await nestStreams.run(from);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('does not exist')]);
    await redis.client.zadd(other, now, 'order-7', now - 7_200_000, 'order-8');
    expect(await nestStreams.json(from)).toEqual({ imported: 1, known: 0, outside: 1 });
  });

  inTerminal('import shows a bar with counts and time left', async () => {
    const stream = freshName('orders');
    const rows = Array.from({ length: 3_000 }, (_, n) => [Date.now(), `${n}-1`]);
    await redis.client.zadd(dtpyfwLedgerKey('', stream, 'billing'), ...rows.flat());
    const shown = nestStreams.startInTerminal(['ledger', 'import', stream, 'billing']);
    expect((await shown.ended).code).toBe(0);
    expect(shown.output()).toMatch(/Importing \[.+\] \d+\/3000 \| .* left/);
    expect(shown.output()).toContain('3000 message IDs imported');
  });

  it('a group that skipped entries does not read them if it is deleted and recreated', async () => {
    const stream = freshName('orders');
    const keys = streamKeys('', stream, 'billing');
    const ids = await addEntries(redis.client, stream, [1, 2, 3]);
    await redis.client.xgroup('CREATE', stream, 'billing', '0');
    await redis.client.set(keys.position, ids[0]!);
    await nestStreams.json(['reset-group', stream, 'billing', '--to', 'latest', '--yes']);
    expect(await groupState(redis.client, stream, 'billing')).toMatchObject({
      lastDeliveredId: ids[2],
    });
    expect(await redis.client.get(keys.position)).toBe(ids[2]);
  });

  inTerminal('explains what a reset does before it asks', async () => {
    const stream = freshName('orders');
    await addEntries(redis.client, stream, [1, 2, 3]);
    await redis.client.xgroup('CREATE', stream, 'billing', '0');
    await redis.client.xreadgroup('GROUP', 'billing', 'one', 'COUNT', 1, 'STREAMS', stream, '>');
    await redis.client.zadd(streamKeys('', stream, 'billing').ledger, 1, 'order-1');
    const reset = nestStreams.startInTerminal(['reset-group', stream, 'billing', '--to', 'latest']);
    await waitFor(() => reset.output().includes('[y/N]'));
    const said = reset.output().replace(/\s+/g, ' ');
    expect(said).toContain('never gets the entries between: 2 entries');
    expect(said).toContain('ledger has 1 message IDs: those are not run again');
    expect(said).toContain('1 entries stay pending');
    reset.write('n\r');
    expect((await reset.ended).code).toBe(1);
  });
});
