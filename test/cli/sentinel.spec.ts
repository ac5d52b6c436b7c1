import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { commandLine, type CommandLine } from '../support/command-line.js';
import { freshName } from '../support/fresh-name.js';
import { ownRedis } from '../support/own-redis.js';
import { type SentinelRedis, startSentinelRedis } from '../support/sentinel-redis.js';
import { sentinelProgram } from '../support/sentinels.js';
import { waitFor } from '../support/wait-for.js';

const canRun = (await ownRedis()) === 'process' && (await sentinelProgram()) !== undefined;
const [withSentinels, title] = canRun
  ? [describe, 'nest-streams by way of Sentinel']
  : [describe.skip, 'skipped: a redis-server on the PATH is needed'];

const SECRET = 'hunter2-hunter2';

withSentinels(title, () => {
  let redis: SentinelRedis;
  let nestStreams: CommandLine;
  let environment: Record<string, string> = {};
  let named: string[];
  beforeAll(async () => {
    redis = await startSentinelRedis([]);
    // Nothing listens at the URL: only its user and database are used.
    nestStreams = await commandLine(() => ({ REDIS_URL: 'redis://192.0.2.1:1/0', ...environment }));
    const { sentinels } = redis.connection;
    named = [
      ...sentinels.flatMap(({ host, port }) => ['--sentinel', `${host}:${port}`]),
      '--master-name',
      'main',
    ];
  });
  afterAll(async () => {
    await nestStreams.end();
    await redis.stop();
  });

  it('inspects, publishes and tails on the primary, before and after a failover', async () => {
    const stream = freshName('orders');
    const publish = (body: string): Promise<{ code: number | null; stdout: string }> =>
      nestStreams.run(['publish', stream, body, ...named]);
    expect(await publish('{"n":1}')).toMatchObject({ code: 0, stdout: /Published entry/ });
    const first = await redis.primaryPort();
    await redis.failOver();
    expect(await redis.primaryPort()).not.toBe(first);
    expect(await publish('{"n":2}')).toMatchObject({ code: 0 });
    const tail = nestStreams.start(['tail', stream, '--last', '2', ...named]);
    await waitFor(() => tail.output().includes('{"n":2}'));
    expect(await publish('{"n":3}')).toMatchObject({ code: 0 });
    await waitFor(() => tail.output().includes('{"n":3}'));
    tail.kill('SIGINT');
    expect((await tail.ended).code).toBe(0);
    const seen = await nestStreams.run(['overview', stream, '--json', ...named]);
    expect(JSON.parse(seen.stdout)).toMatchObject([{ stream, length: 3 }]);
  });

  it('says at once why no sentinel gave the primary, and shows no password', async () => {
    const [, only = ''] = named;
    environment = { REDIS_SENTINEL_PASSWORD: SECRET };
    await redis.client.call('ACL', 'SETUSER', 'default', 'resetpass', '>another');
    const cases: [string[], RegExp][] = [
      [
        ['--sentinel', '127.0.0.1:1', '--master-name', 'main'],
        /primary "main" of 127.0.0.1:1 cannot be reached: .*closed/,
      ],
      [['--sentinel', named[3] ?? '', '--master-name', 'other'], /knows no primary "other"/],
      [['--sentinel', only, '--master-name', 'main'], new RegExp(`sentinel ${only}`)],
    ];
    const ended = await Promise.all(
      cases.map(([flags]) => nestStreams.run(['overview', ...flags])),
    );
    await redis.client.call('ACL', 'SETUSER', 'default', 'nopass');
    environment = {};
    for (const [at, { code, stdout, stderr }] of ended.entries()) {
      expect([code, stdout]).toEqual([1, '']);
      expect(stderr).toMatch(cases[at]?.[1] ?? '');
      expect(stderr).not.toContain(SECRET);
    }
  });

  it('--sentinel without --master-name, or without a valid address, is wrong usage', async () => {
    const wrong = [
      ['--sentinel', 'localhost'],
      ['--master-name', 'main'],
      ['--sentinel', 'localhost:99999', '--master-name', 'main'],
      ['--sentinel', 'redis://localhost', '--master-name', 'main'],
    ];
    for (const flags of wrong) {
      const { code, stdout, stderr } = await nestStreams.run(['overview', ...flags]);
      expect([flags, code, stdout]).toEqual([flags, 2, '']);
      expect(stderr).toMatch(/--sentinel/);
    }
  });
});
