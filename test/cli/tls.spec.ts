import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { startRedis, type StartedRedis } from '../../lib/testing/index.js';
import { type Certificates, hasOpenssl, makeCertificates } from '../support/certificates.js';
import { type CommandLine, commandLine, type CommandResult } from '../support/command-line.js';
import { ownRedis } from '../support/own-redis.js';
import { tlsArguments } from '../support/tls-redis.js';
import { waitFor } from '../support/wait-for.js';

const canRun = (await hasOpenssl()) && (await ownRedis()) === 'process';
const [withTls, title] = canRun
  ? [describe, 'nest-streams over TLS']
  : [describe.skip, 'skipped: openssl and a redis-server of our own are needed'];

withTls(title, () => {
  let certificates: Certificates;
  let line: CommandLine;
  const servers: StartedRedis[] = [];
  const ports = { open: 0, closed: 0 };
  const own = (): string[] => {
    const { certFile, keyFile } = certificates.client;
    return ['--tls-cert', certFile, '--tls-key', keyFile];
  };

  beforeAll(async () => {
    certificates = await makeCertificates();
    line = await commandLine(() => ({}));
    for (const [kind, asksClients] of [
      ['open', false],
      ['closed', true],
    ] as const) {
      const { port, args } = await tlsArguments(certificates, asksClients);
      servers.push(await startRedis({ args }));
      ports[kind] = port;
    }
  });
  afterAll(async () => {
    await line.end();
    await Promise.all(servers.map((server) => server.stop()));
    await certificates.remove();
  });

  const publish = (url: string, ...flags: string[]): Promise<CommandResult> =>
    line.run(['publish', 'orders', '{"n":1}', '--url', url, '--timeout', '20s', ...flags]);

  it("publishes and reads with the CA of the server's certificate", async () => {
    const ca = ['--tls-ca', certificates.caFile];
    const url = `rediss://127.0.0.1:${ports.open}`;
    expect(await publish(url, ...ca)).toMatchObject({ code: 0, stderr: '' });
    // TLS is used even if the URL does not ask for it.
    expect(await publish(url.replace('rediss', 'redis'), '--tls', ...ca)).toMatchObject({
      code: 0,
    });
    const overview = await line.run(['overview', '--json', '--url', url, ...ca]);
    expect(JSON.parse(overview.stdout)).toEqual([{ stream: 'orders', length: 2 }]);
  });

  it('takes the name in the certificate from --tls-servername', async () => {
    const ca = ['--tls-ca', certificates.caFile];
    const url = `rediss://127.0.0.1:${ports.open}`;
    expect(await publish(url, ...ca, '--tls-servername', 'localhost')).toMatchObject({ code: 0 });
    const other = await publish(url, ...ca, '--tls-servername', 'redis.example');
    expect(other).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/altnames|redis\.example/),
    });
  });

  it('presents the client certificate if the server asks for it, also on a blocking connection', async () => {
    const ca = ['--tls-ca', certificates.caFile];
    const url = `rediss://127.0.0.1:${ports.closed}`;
    expect(await publish(url, ...ca, ...own())).toMatchObject({ code: 0 });
    expect((await publish(url, ...ca)).code).toBe(1);
    const tail = line.start(['tail', 'orders', '--url', url, ...ca, ...own()]);
    await waitFor(() => tail.output().includes('{"n":1}'));
    await publish(url, ...ca, ...own(), '--message-id', 'order-2');
    await waitFor(() => tail.output().includes('order-2'));
    tail.kill('SIGINT');
    expect(await tail.ended).toMatchObject({ code: 0 });
  });

  it('trusts no unknown certificate, except with --insecure', async () => {
    const url = `rediss://127.0.0.1:${ports.open}`;
    const unknown = await publish(url);
    expect(unknown).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(
        /Redis at 127\.0\.0\.1:\d+ \(TLS\) cannot be reached: .*certificate/,
      ),
    });
    expect(await publish(url, '--insecure')).toMatchObject({ code: 0 });
  });

  it('says which file it cannot read, and that a file is not a key', async () => {
    const url = `rediss://127.0.0.1:${ports.open}`;
    const missing = await publish(url, '--tls-key', '/nowhere/our.key');
    expect(missing).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--tls-key: /nowhere/our.key'),
    });
    const { certFile } = certificates.client;
    const wrong = await publish(url, '--tls-cert', certFile, '--tls-key', certFile);
    expect([wrong.code, wrong.stdout]).toEqual([1, '']);
    expect(wrong.stderr).toMatch(/^nest-streams: /);
  });
});
