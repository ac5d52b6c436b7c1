import { describe, expect, it } from '@jest/globals';

import { streamKeys } from '../../lib/wire/stream-keys.js';
import { commandLineForTests } from '../support/command-line-for-tests.js';
import { hasTerminal } from '../support/command-line.js';
import { freshName } from '../support/fresh-name.js';
import { addEntries } from '../support/group-state.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { waitFor } from '../support/wait-for.js';

const redis = redisForTests();
const nestStreams = commandLineForTests(redis);
const inTerminal = hasTerminal ? it : it.skip;

/** A stream with a group, a pending entry and a dead letter. */
async function someWork(): Promise<{ stream: string; deadLetter: string }> {
  const stream = freshName('orders');
  await addEntries(redis.client, stream, [1, 2]);
  await redis.client.xgroup('CREATE', stream, 'billing', '0');
  await redis.client.xreadgroup('GROUP', 'billing', 'one', 'COUNT', 1, 'STREAMS', stream, '>');
  const { deadLetters } = streamKeys('', stream, 'billing');
  const deadLetter = await redis.client.xadd(deadLetters, '*', 'name', stream, 'body', '1');
  return { stream, deadLetter: String(deadLetter) };
}

describe('nest-streams --json', () => {
  it('prints one JSON document for every command in --help, and nothing else', async () => {
    const { stream, deadLetter } = await someWork();
    const group = [stream, 'billing'];
    const examples: Record<string, string[][]> = {
      overview: [[stream]],
      groups: [[stream]],
      pending: [group],
      consumers: [group],
      tail: [[stream, '--no-follow', '-n', '1']],
      publish: [[stream, '{"n":1}']],
      'dead-letters': [
        ['list', ...group],
        ['show', ...group, deadLetter],
        ['redrive', ...group, deadLetter],
        ['purge', ...group, '--all', '--yes'],
      ],
      retries: [group],
      trim: [
        [stream, '--max-length', '1', '--dry-run'],
        [stream, '--max-length', '1', '--yes'],
      ],
      'reset-group': [[...group, '--to', 'beginning', '--yes']],
      ledger: [
        ['size', ...group],
        ['forget', ...group, 'order-1', '--yes'],
      ],
      doctor: [[stream]],
    };
    const { stdout: help } = await nestStreams.run(['--help']);
    const [, commands = ''] = help.split('Commands:');
    const named = [...commands.matchAll(/^ {2}([a-z-]+)/gm)].map(([, name = '']) => name);
    expect(named.filter((name) => name !== 'help').sort()).toEqual(Object.keys(examples).sort());
    for (const [command, calls] of Object.entries(examples)) {
      for (const args of calls) {
        const { code, stdout, stderr } = await nestStreams.run([command, ...args, '--json']);
        expect([command, args, code, stderr]).toEqual([command, args, 0, '']);
        expect(JSON.parse(stdout)).toEqual(expect.anything());
      }
    }
  });

  it('prints one JSON document per line for commands that continue', async () => {
    const { stream } = await someWork();
    const watch = nestStreams.start(['overview', stream, '--watch', '--every', '50ms', '--json']);
    await waitFor(() => watch.output().split('\n').length > 3);
    watch.kill('SIGINT');
    const { code, stdout } = await watch.ended;
    expect(code).toBe(0);
    for (const line of stdout.trim().split('\n')) {
      expect(JSON.parse(line)).toMatchObject({ at: expect.any(String), rows: [{ stream }] });
    }
    const lines = await nestStreams.run(['publish', stream, '--lines', '--json'], '1\n2\n');
    expect(JSON.parse(lines.stdout)).toMatchObject({ published: 2 });
  });

  it('reports a failure on stderr, with an exit code and nothing on stdout', async () => {
    const text = freshName('text');
    await redis.client.set(text, 'no stream');
    const refused = await nestStreams.run(['publish', text, '1', '--json']);
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toContain('WRONGTYPE');
    const none = await nestStreams.run(['groups', freshName('nowhere'), '--json']);
    expect(none).toMatchObject({ code: 1, stdout: '' });
    const wrong = await nestStreams.run(['trim', text, '--json']);
    expect(wrong).toMatchObject({ code: 2, stdout: '' });
  });

  inTerminal('prints the same in a terminal: no progress bar, no colour', async () => {
    const { stream } = await someWork();
    const { deadLetters } = streamKeys('', stream, 'billing');
    const pipeline = redis.client.pipeline();
    for (let n = 0; n < 250; n++) pipeline.xadd(deadLetters, '*', 'name', stream, 'body', '1');
    await pipeline.exec();
    const redrive = ['dead-letters', 'redrive', stream, 'billing', '--all', '--json'];
    const terminal = nestStreams.startInTerminal(redrive);
    terminal.endInput('');
    const { code, stdout } = await terminal.ended;
    expect(code).toBe(0);
    // The bar is on stderr, which is the same terminal here: people see both, programs have a pipe.
    const json = stdout.slice(stdout.lastIndexOf('{'));
    expect(JSON.parse(json)).toEqual({ redriven: 251 });
  });
});
