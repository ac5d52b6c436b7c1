import { describe, expect, it } from '@jest/globals';

import { streamKeys } from '../../lib/wire/stream-keys.js';
import { commandLineForTests } from '../support/command-line-for-tests.js';
import { freshName } from '../support/fresh-name.js';
import { redisForTests } from '../support/redis-for-tests.js';

const redis = redisForTests();
const nestStreams = commandLineForTests(redis);
const GROUP = 'billing';

const lists = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);
const objects = (levels: number): string => '{"a":'.repeat(levels) + '0' + '}'.repeat(levels);

/** JSON that V8 parses, and that most programs cannot walk through. */
const DEEP: [string, string][] = [
  ['lists', lists(4_500)],
  ['objects', objects(4_500)],
  ['many levels', lists(200_000)],
];

async function deepMessage(body: string): Promise<{ stream: string; letter: string; id: string }> {
  const stream = freshName('orders');
  const fields = ['name', 'deep', 'body', body, 'id', 'order-7'];
  const id = String(await redis.client.xadd(stream, '*', ...fields));
  await redis.client.xgroup('CREATE', stream, GROUP, '$');
  const { deadLetters } = streamKeys('', stream, GROUP);
  const letter = await redis.client.xadd(deadLetters, '*', ...fields, 'dead-letter-reason', 'no');
  return { stream, letter: String(letter), id };
}

describe.each(DEEP)('nest-streams shows JSON of very many levels as its text: %s', (_, body) => {
  it('tail', async () => {
    const { stream, id } = await deepMessage(body);
    const args = ['tail', stream, '--no-follow'];
    const { code, stdout, stderr } = await nestStreams.run(args);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toContain(`${id} order-7 deep `);
    expect(stdout).toContain(JSON.stringify(body));
    expect(await nestStreams.json(args)).toMatchObject({
      entryId: id,
      messageId: 'order-7',
      name: 'deep',
      fields: { body },
    });
  });

  it('dead-letters show and list', async () => {
    const { stream, letter } = await deepMessage(body);
    const show = ['dead-letters', 'show', stream, GROUP, letter];
    const { code, stdout, stderr } = await nestStreams.run(show);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toContain(JSON.stringify(body));
    const shown = {
      id: letter,
      messageId: 'order-7',
      name: 'deep',
      fields: expect.arrayContaining([['body', body]]),
    };
    expect(await nestStreams.json(show)).toMatchObject(shown);
    expect(await nestStreams.json(['dead-letters', 'list', stream, GROUP])).toMatchObject([shown]);
    const table = await nestStreams.run(['dead-letters', 'list', stream, GROUP]);
    expect([table.code, table.stdout]).toEqual([0, expect.stringContaining('order-7')]);
  });
});

it('nest-streams shows a large payload of some levels without a line for each value', async () => {
  const zeros = `0${',0'.repeat(400_000)}`;
  const { stream, letter } = await deepMessage('['.repeat(90) + zeros + ']'.repeat(90));
  const show = ['dead-letters', 'show', stream, GROUP, letter];
  for (const args of [show, [...show, '--json']]) {
    const { code, stdout } = await nestStreams.run(args);
    expect([code, stdout.length < 2_000_000]).toEqual([0, true]);
    expect(stdout).toContain(zeros);
  }
});
