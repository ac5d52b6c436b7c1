import { describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';

import { partitionName } from '../../lib/wire/partitions.js';
import { streamKeys } from '../../lib/wire/stream-keys.js';
import { clientsForTests } from '../support/clients-for-tests.js';
import { commandLineForTests } from '../support/command-line-for-tests.js';
import { freshName } from '../support/fresh-name.js';
import { addEntries } from '../support/group-state.js';
import { emitAll, keyed, partitionFor } from '../support/keyed-messages.js';
import { recordedLog } from '../support/recorded-log.js';
import { redisForTests } from '../support/redis-for-tests.js';

const redis = redisForTests();
const nestStreams = commandLineForTests(redis);
const { clientFor } = clientsForTests(redis);
Logger.overrideLogger(recordedLog);

const GROUP = 'billing';
const COUNT = 4;

const note = (stream: string, count: number | string): Promise<unknown> =>
  redis.client.set(`stream:{${stream}}:partitions`, count);

/** A stream whose partitions all have messages and the group. */
async function partitioned(): Promise<string> {
  const stream = freshName('orders');
  const client = clientFor({ streams: { [stream]: { partitions: COUNT } } });
  const items = Array.from({ length: 40 }, (_, n) => keyed(`customer-${n}`, { n }));
  await emitAll(client, stream, items);
  for (let n = 0; n < COUNT; n++) {
    await redis.client.xgroup('CREATE', partitionName(stream, n), GROUP, '0', 'MKSTREAM');
  }
  return stream;
}

describe('nest-streams with a stream that has partitions', () => {
  it('overview finds the partitions by the name of the stream, noted or not', async () => {
    const stream = await partitioned();
    const found = async (): Promise<unknown> =>
      ((await nestStreams.json(['overview', stream])) as { stream: string }[]).map(
        (row) => row.stream,
      );
    const all = Array.from({ length: COUNT }, (_, n) => partitionName(stream, n));
    expect(await found()).toEqual(all);
    await note(stream, COUNT);
    expect(await found()).toEqual(all);
  });

  it('a command for one stream says that a partition must be named', async () => {
    const stream = await partitioned();
    const { code, stderr } = await nestStreams.run(['groups', stream]);
    expect(code).toBe(1);
    expect(stderr).toContain(`name one of them, such as "${partitionName(stream, 0)}"`);
    expect(await nestStreams.json(['groups', partitionName(stream, 1)])).toMatchObject([
      { group: GROUP },
    ]);
  });

  it('dead-letters covers all partitions, with IDs that name the partition', async () => {
    const stream = await partitioned();
    for (const n of [1, 3]) {
      const { deadLetters } = streamKeys('', partitionName(stream, n), GROUP);
      await redis.client.xadd(deadLetters, '7-0', 'name', stream, 'body', `{"n":${n}}`);
    }
    expect(await nestStreams.json(['dead-letters', 'list', stream, GROUP])).toMatchObject([
      { id: '1:7-0', partition: 1, stream },
      { id: '3:7-0', partition: 3, stream },
    ]);
    expect(await nestStreams.json(['dead-letters', 'show', stream, GROUP, '3:7-0'])).toMatchObject({
      payload: { n: 3 },
    });
    expect(await nestStreams.json(['dead-letters', 'redrive', stream, GROUP, '3:7-0'])).toEqual({
      redriven: 1,
    });
    expect(
      await nestStreams.json(['dead-letters', 'purge', stream, GROUP, '--all', '--yes']),
    ).toEqual({ purged: 2 });
    const none = await nestStreams.run(['dead-letters', 'list', stream, 'shipping']);
    expect(none.code).toBe(1);
    expect(none.stderr).toContain('shipping');
  });

  it('publish refuses to write where nobody reads, and chooses the partition as a client does', async () => {
    const stream = await partitioned();
    const plain = await nestStreams.run(['publish', stream, '{"n":1}']);
    expect(plain.code).toBe(2);
    expect(plain.stderr).toContain('--partitions');
    await note(stream, COUNT);
    const other = await nestStreams.run(['publish', stream, '1', '--partitions', '5']);
    expect(other.code).toBe(2);
    expect(other.stderr).toContain(`have ${COUNT}`);
    expect(await redis.client.exists(stream)).toBe(0);
    const name = partitionFor(stream, COUNT, 'customer-1');
    const before = await redis.client.xlen(name);
    const args = ['publish', stream, '1', '--key', 'customer-1', '--partitions', String(COUNT)];
    expect(await nestStreams.json(args)).toMatchObject({ stream, duplicate: false });
    expect(await redis.client.xlen(name)).toBe(before + 1);
  });

  it('doctor finds entries outside the partitions, and in partitions beyond their number', async () => {
    const stream = await partitioned();
    await addEntries(redis.client, stream, [1]);
    await note(stream, COUNT - 1);
    await redis.client.xgroup('CREATE', stream, GROUP, '0');
    const looked = (await nestStreams.json([
      'doctor',
      stream,
      partitionName(stream, COUNT - 1),
    ])) as { findings: { check: string; stream: string }[] };
    const found = looked.findings.filter(({ check }) => check === 'partitions');
    expect(found.map((finding) => finding.stream)).toEqual([
      stream,
      partitionName(stream, COUNT - 1),
    ]);
  });

  it.each([
    ['too high', 1_000_000_000],
    ['one too high', 1_025],
    ['zero', 0],
    ['junk', 'junk'],
    ['a long text that a terminal obeys', '\u001b[2J'.repeat(1_000)],
  ])('names the key if the number of partitions in it is %s', async (_, count) => {
    const stream = freshName('orders');
    await addEntries(redis.client, stream, [1]);
    await note(stream, count);
    const key = `stream:{${stream}}:partitions`;
    for (const command of [
      ['overview', stream],
      ['dead-letters', 'list', stream, GROUP],
      ['publish', stream, '1'],
    ]) {
      const { code, stdout, stderr } = await nestStreams.run(command);
      expect(code).toBe(1);
      expect(stderr).toContain(`The key "${key}" holds "`);
      expect(stderr).toContain('allowed: a whole number from 1 to 1024');
      expect(stderr).not.toContain('\u001b');
      expect((stdout + stderr).length).toBeLessThan(1_000);
    }
    const doctor = (await nestStreams.json(['doctor'])) as {
      findings: { check: string; stream: string; what: string }[];
    };
    const found = doctor.findings.filter((each) => each.stream === stream);
    expect(found.find(({ check }) => check === 'partitions')?.what).toContain(key);
  });
});
