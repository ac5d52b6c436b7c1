import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

import { describe, expect, it } from '@jest/globals';

import { commandLineForTests } from '../support/command-line-for-tests.js';
import { freshName, freshPrefix } from '../support/fresh-name.js';
import { addEntries } from '../support/group-state.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { closeAppsAfterEach, handlerOf, streamsApp } from '../support/streams-app.js';

// Its own server, since the tests change its settings.
const redis = redisForTests({ args: [] });
const nestStreams = commandLineForTests(redis);

closeAppsAfterEach();

describe('nest-streams doctor', () => {
  it('finds nothing if all is well, and exits with 0', async () => {
    const keyPrefix = freshPrefix();
    const handler = handlerOf('orders', () => undefined);
    const options = { connection: redis.url, group: 'billing', keyPrefix };
    const { emit } = await streamsApp(options, { controllers: [handler] });
    await emit('orders', 1);
    const args = ['doctor', '--prefix', keyPrefix, '--max-age', '7d'];
    const { code, stdout } = await nestStreams.run(args);
    expect([code, stdout]).toEqual([0, expect.stringContaining('Nothing found.')]);
    expect(stdout).toMatch(/Redis \d\S*; looked at 1 stream and 1 group\./);
  });

  it('finds eviction, groups without consumers and consumers that are gone, says what to do about each, and exits with 3', async () => {
    const prefix = freshPrefix();
    const left = freshName('left');
    await redis.client.xgroup('CREATE', prefix + left, 'billing', '0', 'MKSTREAM');
    await addEntries(redis.client, prefix + left, [1, 2]);
    await redis.client.xreadgroup(
      'GROUP',
      'billing',
      'dead',
      'COUNT',
      1,
      'STREAMS',
      prefix + left,
      '>',
    );
    await redis.client.pexpire(prefix + left, 3_600_000);
    await redis.client.config('SET', 'maxmemory-policy', 'allkeys-lru');
    // A consumer counts as gone after a time of silence.
    await delay(50);
    const args = ['doctor', '--prefix', prefix, '--gone-after', '20ms', '--max-age', '50ms'];
    const { code, stdout } = await nestStreams.run(args);
    await redis.client.config('SET', 'maxmemory-policy', 'noeviction');
    expect(code).toBe(3);
    for (const check of ['eviction', 'no-consumers', 'consumer-gone', 'near-trimming', 'expires']) {
      expect(stdout).toMatch(new RegExp(`(ERROR|WARNING) ${check}[^]*?\n  → `));
    }
    expect(stdout).toContain('noeviction');
    expect(stdout).toContain('5 findings.');
    expect(Math.max(...stdout.split('\n').map(({ length }) => length))).toBeLessThanOrEqual(80);
  });

  it('finds streams that nothing trims', async () => {
    const prefix = freshPrefix();
    const old = Date.now() - 30 * 86_400_000;
    await redis.client.xadd(`${prefix}old`, `${old}-0`, 'name', 'old', 'body', '1');
    await addEntries(redis.client, `${prefix}young`, [1]);
    expect(await nestStreams.json(['doctor', '--prefix', prefix])).toMatchObject({
      streams: 2,
      findings: [{ check: 'no-retention', stream: 'old', level: 'warning' }],
      notKnown: [expect.stringContaining('--max-age')],
    });
    expect(
      await nestStreams.json(['doctor', 'young', '--prefix', prefix, '--max-length', '1']),
    ).toMatchObject({ streams: 1, findings: [] });
  });

  it('finds missing rights without running the commands, and says what it could not read', async () => {
    const stream = freshName('orders');
    await addEntries(redis.client, stream, [1]);
    await redis.client.xgroup('CREATE', stream, 'billing', '$');
    await redis.client.acl('SETUSER', 'bob', 'on', '>pw', '~*', '&*', '+@all', '-xadd', '-zrem');
    await redis.client.acl('SETUSER', 'eve', 'on', '>pw', `~${stream}`, '&*', '+@all');
    const url = (user: string): string[] => [
      '--url',
      `redis://${user}:pw@${new URL(redis.url).host}`,
    ];
    const keys = (await redis.client.keys('*')).sort();
    const bob = await nestStreams.json(['doctor', stream, ...url('bob')]);
    expect(bob).toMatchObject({
      findings: expect.arrayContaining([
        {
          level: 'error',
          check: 'rights',
          what: 'User "bob" may not run: XADD, ZREM',
          todo: 'ACL SETUSER bob +xadd +zrem',
        },
      ]),
    });
    const eve = await nestStreams.json(['doctor', stream, ...url('eve')]);
    expect(eve).toMatchObject({
      findings: [
        { check: 'rights', level: 'error', what: expect.stringContaining(`stream:{${stream}}`) },
        { check: 'rights', level: 'warning', what: expect.stringContaining('publish for later') },
        { check: 'rights', level: 'warning', what: expect.stringContaining('ask and answer') },
        { check: 'rights', level: 'warning', what: expect.stringContaining('wildcards') },
      ],
      notKnown: expect.arrayContaining([expect.stringContaining('may not read')]),
    });
    expect((await redis.client.keys('*')).sort()).toEqual(keys);
    expect(await redis.client.xlen(stream)).toBe(1);
  });

  it('finds that requests or wildcards would not work for this user', async () => {
    const stream = freshName('orders');
    await addEntries(redis.client, stream, [1]);
    await redis.client.xgroup('CREATE', stream, 'billing', '$');
    const without = ['-xread', '-sadd', '-xgroup|delconsumer', '-scan'];
    await redis.client.acl('SETUSER', 'kim', 'on', '>pw', '~*', '&*', '+@all', ...without);
    const url = `redis://kim:pw@${new URL(redis.url).host}`;
    const { findings } = (await nestStreams.json(['doctor', stream, '--url', url])) as {
      findings: { check: string; what: string }[];
    };
    expect(findings.filter(({ check }) => check === 'rights')).toEqual([
      {
        level: 'error',
        check: 'rights',
        what: 'User "kim" may not run: XGROUP|DELCONSUMER',
        todo: 'ACL SETUSER kim +xgroup|delconsumer',
      },
      {
        level: 'warning',
        check: 'rights',
        what: expect.stringMatching(/may not run: XREAD, SADD\. Only services that ask/),
        todo: 'ACL SETUSER kim +xread +sadd',
      },
      expect.objectContaining({ what: expect.stringMatching(/run: SCAN\. Only/) }),
    ]);
  });

  it('finds no missing right if the user has those of docs/security.md', async () => {
    const [stream, group] = ['orders', 'billing'];
    await addEntries(redis.client, stream, [1]);
    await redis.client.xgroup('CREATE', stream, group, '$');
    const page = await readFile(new URL('../../docs/security.md', import.meta.url), 'utf8');
    const rules = page.match(/(?<=^ACL SETUSER (?:producer|consumer) ).*$/gm) ?? [];
    const wildcards = ['+scan', `~stream:group:${group}:wildcards`];
    await redis.client.acl('SETUSER', 'pat', ...rules.join(' ').split(' '), ...wildcards);
    await redis.client.acl('SETUSER', 'pat', '+multi', '+discard');
    const url = `redis://pat:secret@${new URL(redis.url).host}`;
    const { findings, notKnown } = (await nestStreams.json(['doctor', stream, '--url', url])) as {
      findings: { check: string }[];
      notKnown: string[];
    };
    expect(findings.filter(({ check }) => check === 'rights')).toEqual([]);
    expect(notKnown.join()).not.toContain('MULTI');
    await redis.client.del(stream);
  });
});
