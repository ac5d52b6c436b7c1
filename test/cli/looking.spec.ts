import { describe, expect, it } from '@jest/globals';

import { streamKeys } from '../../lib/wire/stream-keys.js';
import { commandLineForTests } from '../support/command-line-for-tests.js';
import { hasTerminal } from '../support/command-line.js';
import { freshName, freshPrefix } from '../support/fresh-name.js';
import { addEntries } from '../support/group-state.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
const nestStreams = commandLineForTests(redis);
const inTerminal = hasTerminal ? it : it.skip;
const EVIL = 'a\u001B[31mb\u0007\u009Bc\u202Ed';
// oxlint-disable-next-line no-control-regex
const OBEYED = /[\u0000-\u0009\u000B-\u001F\u007F-\u009F\u202E]/;

const widest = (output: string): number =>
  Math.max(...output.split('\n').map((line) => line.length));

/** Three entries: two are delivered to a consumer, and one of these waits for its next attempt. */
async function someWork(prefix = ''): Promise<{ stream: string; group: string; ids: string[] }> {
  const stream = freshName('orders');
  const group = 'billing';
  const key = prefix + stream;
  const keys = streamKeys(prefix, stream, group);
  const ids = await addEntries(redis.client, key, [{ n: 1 }, { n: 2 }, { n: 3 }]);
  await redis.client.xgroup('CREATE', key, group, '0');
  const consumer = `billing.${'a-long-host-name.'.repeat(5)}4711.deadbeef`;
  await redis.client.xreadgroup('GROUP', group, consumer, 'COUNT', 2, 'STREAMS', key, '>');
  await redis.client.zadd(keys.retries, Date.now() + 60_000, ids[0]!, 1, 'dead-letter:7-0');
  await redis.client.hset(keys.attempts, ids[0]!, '3c');
  await redis.client.zadd(keys.ledger, Date.now(), 'order-1');
  await redis.client.xadd(keys.deadLetters, '*', 'body', '{}');
  return { stream, group, ids };
}

describe('the inspecting commands of nest-streams', () => {
  it('overview shows every stream and group under the prefix, and no internal stream', async () => {
    const prefix = freshPrefix();
    const { stream } = await someWork(prefix);
    const lonely = freshName('lonely');
    await addEntries(redis.client, prefix + lonely, [1]);

    expect(await nestStreams.json(['overview', '--prefix', prefix])).toEqual([
      { stream: lonely, length: 1 },
      {
        stream,
        group: 'billing',
        length: 3,
        lag: 1,
        pending: 2,
        oldestPendingMs: expect.any(Number),
        retries: 2,
        deadLetters: 1,
        ledger: 1,
        consumers: 1,
        lastDeliveredId: expect.any(String),
      },
    ]);
    const { code, stdout } = await nestStreams.run(['overview', '--prefix', prefix]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^orders-\S+ +billing +3 +1 +2 +\S.* +2 +1 +1 +1\?$/m);
    expect(stdout).toMatch(/^lonely-\S+ +- +1( +-)+$/m);
  });

  it('say so if there is nothing', async () => {
    const { code, stdout } = await nestStreams.run(['overview', '--prefix', freshPrefix()]);
    expect([code, stdout]).toEqual([0, expect.stringContaining('There are no streams')]);
  });

  it('groups, pending, consumers and retries show a group', async () => {
    const { stream, group, ids } = await someWork();
    const consumer = expect.stringMatching(/^billing\..*deadbeef$/);
    const [groups, pending, page, consumers, retries] = await Promise.all([
      nestStreams.json(['groups', stream]),
      nestStreams.json(['pending', stream, group]),
      nestStreams.json(['pending', stream, group, '--after', ids[0]!, '--limit', '5']),
      nestStreams.json(['consumers', stream, group]),
      nestStreams.json(['retries', stream, group]),
    ]);
    expect(groups).toMatchObject([{ group, lag: 1, pending: 2, lastDeliveredId: ids[1] }]);
    expect(pending).toMatchObject([
      { entryId: ids[0], consumer, deliveries: 1, attempts: 3, dueAt: expect.any(Number) },
      { entryId: ids[1], consumer, deliveries: 1, attempts: 0 },
    ]);
    expect(page).toMatchObject([{ entryId: ids[1] }]);
    expect(consumers).toMatchObject([{ name: consumer, pending: 2, idleMs: expect.any(Number) }]);
    expect(retries).toMatchObject([
      { kind: 'redrive', id: '7-0', dueInMs: expect.any(Number) },
      { kind: 'entry', id: ids[0], attempts: 3 },
    ]);
  });

  it('tables fit 80 columns, and cut no ID', async () => {
    const { stream, group, ids } = await someWork();
    for (const command of ['groups', 'pending', 'consumers', 'retries', 'overview']) {
      const args = command === 'overview' || command === 'groups' ? [] : [group];
      const { code, stdout } = await nestStreams.run([command, stream, ...args]);
      expect([command, code, widest(stdout) <= 80]).toEqual([command, 0, true]);
    }
    const { stdout } = await nestStreams.run(['pending', stream, group]);
    expect(stdout).toContain(ids[1]);
    // Both ends of the name are needed to recognize a consumer.
    expect(stdout).toMatch(/billing\.a-.*….*deadbeef/);
  });

  it('tail shows the last entries decoded, the oldest first, and completely as JSON', async () => {
    const stream = freshName('orders');
    const fields = ['name', 'order.created', 'body', '{"item":"tea"}', 'id', 'order-7'];
    await addEntries(redis.client, stream, [1, 2]);
    const id = String(
      await redis.client.xadd(stream, '*', ...fields, 'headers', '{"trace":"1"}', 'key', 'k'),
    );
    const [text, json] = await Promise.all([
      nestStreams.run(['tail', stream, '-n', '2', '--no-follow']),
      nestStreams.run(['tail', stream, '--from', id, '--no-follow', '--json']),
    ]);
    expect(text.stdout.trim().split('\n')).toEqual([
      expect.stringMatching(/^\S+Z \d+-\d+ .*2$/),
      expect.stringMatching(new RegExp(`^\\S+Z ${id} order-7 order.created {"item":"tea"}$`)),
    ]);
    expect(JSON.parse(json.stdout)).toEqual({
      entryId: id,
      publishedAt: expect.any(String),
      messageId: 'order-7',
      name: 'order.created',
      headers: { trace: '1' },
      key: 'k',
      payload: { item: 'tea' },
    });
  });

  it('tail follows until Ctrl-C, and exits with 0', async () => {
    const stream = freshName('orders');
    const tail = nestStreams.start(['tail', stream]);
    await waitFor(async () => {
      await redis.client.xadd(stream, '*', 'name', stream, 'body', '"seen"');
      return tail.output().includes('"seen"');
    });
    tail.kill('SIGINT');
    expect(await tail.ended).toMatchObject({ code: 0, stderr: '' });
  });

  it('read entries of other programs with --codec, and show the fields of entries that they cannot decode', async () => {
    const stream = freshName('sensors');
    await redis.client.xadd(stream, '*', 'data', 'warm');
    const args = ['tail', stream, '--no-follow'];
    const [field, json, unknown] = await Promise.all([
      nestStreams.run([...args, '--codec', 'field:data', '--payload', 'text']),
      nestStreams.run(args),
      nestStreams.run([...args, '--codec', 'morse']),
    ]);
    expect(field.stdout).toMatch(/ "warm"$/m);
    expect(json.stdout).toMatch(/not decoded: .*{"data":"warm"}$/m);
    expect(unknown).toMatchObject({ code: 2, stderr: expect.stringContaining('"morse"') });
  });

  it('show control characters in messages and names as escapes, in JSON too', async () => {
    const prefix = freshPrefix();
    const stream = `orders${EVIL}`;
    const key = prefix + stream;
    const keys = streamKeys(prefix, stream, EVIL);
    await redis.client.xgroup('CREATE', key, EVIL, '0', 'MKSTREAM');
    await redis.client.xadd(key, '*', 'name', EVIL, 'body', JSON.stringify(EVIL), 'id', EVIL);
    await redis.client.xadd(key, '*', 'name\u001B[2J', EVIL);
    await redis.client.xreadgroup('GROUP', EVIL, EVIL, 'COUNT', 1, 'STREAMS', key, '>');
    const why = ['reason', 'error-name', 'error-message', 'error-stack', 'consumer', 'failed-at'];
    const id = String(
      await redis.client.xadd(
        keys.deadLetters,
        '*',
        'name',
        EVIL,
        'body',
        JSON.stringify({ [EVIL]: EVIL }),
        'id',
        EVIL,
        ...why.flatMap((field) => [`dead-letter-${field}`, EVIL]),
      ),
    );
    const commands = [
      ['overview'],
      ['pending', stream, EVIL],
      ['tail', stream, '--no-follow'],
      ['dead-letters', 'list', stream, EVIL],
      ['dead-letters', 'show', stream, EVIL, id],
      ['pending', stream, `no${EVIL}`],
      ['doctor', '--gone-after', '1ms'],
    ];
    for (const command of commands) {
      const ended = await Promise.all(
        [[], ['--json']].map((form) => nestStreams.run([...command, ...form, '--prefix', prefix])),
      );
      const output = ended.map(({ stdout, stderr }) => stdout + stderr).join('');
      expect([command, OBEYED.test(output), output.includes('u001b')]).toEqual([
        command,
        false,
        true,
      ]);
    }
  });

  inTerminal('overview --watch redraws in place, and ends with Ctrl-C', async () => {
    const { stream } = await someWork();
    const watch = nestStreams.startInTerminal(['overview', stream, '--watch', '--every', '50ms']);
    const times = (): number => watch.output().split('\u001B[H\u001B[J').length - 1;
    await waitFor(() => times() >= 2);
    await addEntries(redis.client, stream, [4, 5]);
    await waitFor(() => /billing +5 +3/.test(watch.output()));
    watch.write('\u0003');
    expect(await watch.ended).toMatchObject({ code: 0 });
  });

  inTerminal('tables are as wide as the terminal', async () => {
    const { stream, group } = await someWork();
    const wide = nestStreams.startInTerminal(['pending', stream, group], 200);
    wide.endInput('');
    const { stdout } = await wide.ended;
    expect(stdout).toContain('a-long-host-name.'.repeat(5));
  });
});
