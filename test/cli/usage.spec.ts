import { readFile } from 'node:fs/promises';

import { describe, expect, it } from '@jest/globals';

import { commandLineForTests } from '../support/command-line-for-tests.js';
import { freshName } from '../support/fresh-name.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { tcpProxy } from '../support/tcp-proxy.js';

const redis = redisForTests();
const nestStreams = commandLineForTests(redis);

const COMMANDS = [
  'overview',
  'groups',
  'pending',
  'consumers',
  'tail',
  'publish',
  'dead-letters list',
  'dead-letters show',
  'dead-letters redrive',
  'dead-letters purge',
  'retries',
  'trim',
  'reset-group',
  'ledger size',
  'ledger forget',
  'ledger import',
  'doctor',
];

describe('the usage of nest-streams', () => {
  it('--help shows all commands and the exit codes, and each command has an example', async () => {
    const { code, stdout } = await nestStreams.run(['--help']);
    expect(code).toBe(0);
    expect(stdout).toContain('Exit codes: 0 done, 1 failed, 2 wrong usage, 3 doctor');
    await Promise.all(
      COMMANDS.map(async (command) => {
        const help = await nestStreams.run([...command.split(' '), '--help']);
        expect(help.code).toBe(0);
        expect(help.stdout).toMatch(new RegExp(`Examples?:\n  \\$ nest-streams ${command}`));
        expect(stdout).toContain(`  ${command.split(' ')[0]} `);
      }),
    );
  });

  it('wrong usage is exit 2, and nothing on stdout', async () => {
    const wrong = [
      [],
      ['frobnicate'],
      ['groups'],
      ['groups', 'orders', 'too-many'],
      ['overview', '--nonsense'],
      ['pending', 'orders', 'billing', '--limit', '0'],
      ['pending', 'orders', 'billing', '--min-idle', 'soon'],
      ['pending', 'orders', 'billing', '--after', 'x'],
      ['trim', 'orders'],
      ['reset-group', 'orders', 'billing'],
      ['reset-group', 'orders', 'billing', '--to', 'there'],
      ['dead-letters', 'redrive', 'orders', 'billing'],
      ['dead-letters', 'redrive', 'orders', 'billing', '1-1', '--all'],
      ['dead-letters', 'redrive', 'orders', 'billing', 'no-id'],
      ['publish', 'orders', 'no json'],
      ['publish', 'orders', '{}', '--header', 'novalue'],
      ['publish', 'orders', '{}', '--lines'],
      ['overview', '--codec', 'json', '--payload', 'text'],
      ['overview', '--tls-ca', '/nowhere/ca.pem'],
      ['groups', ''],
    ];
    for (const args of wrong) {
      const { code, stdout, stderr } = await nestStreams.run(args);
      expect([args, code, stdout]).toEqual([args, 2, '']);
      expect([args, stderr]).not.toEqual([args, '']);
    }
  });

  it('a stream or group that does not exist is exit 1', async () => {
    const stream = freshName('orders');
    const [noStream, noGroup] = await Promise.all([
      nestStreams.run(['groups', freshName('nowhere')]),
      redis.client
        .xadd(stream, '*', 'a', 'b')
        .then(() => nestStreams.run(['pending', stream, 'nobody'])),
    ]);
    expect([noStream.code, noGroup.code]).toEqual([1, 1]);
    expect(noGroup.stderr).toContain(`stream "${stream}" has no group "nobody"`);
  });

  it('a Redis that cannot be reached is exit 1 at once, and never shows the password', async () => {
    const proxy = await tcpProxy(redis.url);
    const { port } = new URL(proxy.url);
    await proxy.close();
    const url = new URL(redis.url);
    const args = [
      ['--url', `redis://bob:hunter2@127.0.0.1:${port}`],
      ['--url', `redis://bob:hunter2@${url.host}`],
      ['--url', `http://bob:hunter2@${url.host}`],
      ['--url', `redis://bob:hunter2@${url.host}/notanumber`],
      ['--url', `rediss://bob:hunter2@${url.host}`, '--insecure', '--timeout', '2s'],
    ];
    const ended = await Promise.all(args.map((flags) => nestStreams.run(['overview', ...flags])));
    expect(ended.map(({ code }) => code)).toEqual([1, 1, 2, 2, 1]);
    for (const { stdout, stderr } of ended) expect(stdout + stderr).not.toContain('hunter2');
    expect(ended[0]?.stderr).toContain('ECONNREFUSED');
    expect(ended[1]?.stderr).toContain('WRONGPASS');
  });

  it('prints its version', async () => {
    const { stdout } = await nestStreams.run(['--version']);
    const manifest = await readFile(new URL('../../package.json', import.meta.url), 'utf8');
    expect(stdout.trim()).toBe((JSON.parse(manifest) as { version: string }).version);
  });
});
