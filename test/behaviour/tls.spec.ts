import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { firstValueFrom } from 'rxjs';

import {
  ClientRedisStreams,
  type ConnectionOption,
  type ConnectionOptions,
} from '../../lib/index.js';
import { startRedis, type StartedRedis } from '../../lib/testing/index.js';
import { type Certificates, hasOpenssl, makeCertificates } from '../support/certificates.js';
import { freshName } from '../support/fresh-name.js';
import { ownRedis } from '../support/own-redis.js';
import { logged } from '../support/recorded-log.js';
import { closeAppsAfterEach, handlerOf, streamsApp } from '../support/streams-app.js';
import { tlsArguments } from '../support/tls-redis.js';
import { waitFor } from '../support/wait-for.js';

const canRun = (await hasOpenssl()) && (await ownRedis()) === 'process';
const [withTls, title] = canRun
  ? [describe, 'TLS']
  : [describe.skip, 'skipped: openssl and a redis-server of our own are needed'];
closeAppsAfterEach();

withTls(title, () => {
  let certificates: Certificates;
  const servers: StartedRedis[] = [];
  const ports = { open: 0, closed: 0 };
  const clients = new Set<ClientRedisStreams>();

  beforeAll(async () => {
    certificates = await makeCertificates();
    for (const [kind, asksClients] of [
      ['open', false],
      ['closed', true],
    ] as const) {
      const { port, args } = await tlsArguments(certificates, asksClients);
      servers.push(await startRedis({ args }));
      ports[kind] = port;
    }
  });
  afterEach(async () => {
    await Promise.all([...clients].map((client) => client.close()));
    clients.clear();
  });
  afterAll(async () => {
    await Promise.all(servers.map((server) => server.stop()));
    await certificates.remove();
  });

  const open = (tls: ConnectionOptions['tls']): ConnectionOptions => ({
    url: `rediss://127.0.0.1:${ports.open}`,
    ...(tls === undefined ? {} : { tls }),
  });
  const closed = (tls: ConnectionOptions['tls'] = {}): ConnectionOptions => ({
    host: '127.0.0.1',
    port: ports.closed,
    tls: { ca: certificates.ca, ...tls },
  });

  /** The parts of a message that a handler gets. */
  async function carried(connection: ConnectionOption): Promise<unknown> {
    const stream = freshName('orders');
    const got: unknown[] = [];
    const app = await streamsApp(
      { connection, group: 'billing' },
      { controllers: [handlerOf(stream, (data) => void got.push(data))] },
    );
    await app.emit(stream, { n: 1 });
    await waitFor(() => got.length === 1);
    return got[0];
  }

  /** The logged reason why no connection can be opened. */
  async function reason(connection: ConnectionOption): Promise<string> {
    const client = new ClientRedisStreams({ connection, publishTimeoutMs: 300 });
    clients.add(client);
    const before = logged('warn', 'Redis cannot be reached (client)').length;
    await expect(firstValueFrom(client.emit('orders', { n: 1 }))).rejects.toMatchObject({
      code: 'PUBLISH_FAILED',
      ambiguous: false,
    });
    return logged('warn', 'Redis cannot be reached (client)')[before] ?? '';
  }

  it('carries messages, by URL and by options, with the CA given', async () => {
    expect(await carried(open({ ca: certificates.ca }))).toEqual({ n: 1 });
    const byOptions = { host: '127.0.0.1', port: ports.open, tls: { ca: certificates.ca } };
    expect(await carried(byOptions)).toEqual({ n: 1 });
  });

  it('carries messages with a client certificate, with its key encrypted or not', async () => {
    const { client, lockedKey, passphrase } = certificates;
    const { cert, key } = client;
    expect(await carried(closed({ cert, key }))).toEqual({ n: 1 });
    expect(await carried(closed({ cert, key: lockedKey, passphrase }))).toEqual({ n: 1 });
  });

  it('is verified unless that is turned off', async () => {
    expect(await reason(`rediss://127.0.0.1:${ports.open}`)).toMatch(/certificate/);
    expect(await reason(open({ ca: certificates.otherCa }))).toMatch(/certificate/);
    expect(await carried(open({ rejectUnauthorized: false }))).toEqual({ n: 1 });
  });

  it('refuses a client without a certificate', async () => {
    // OpenSSL learns of it with the first bytes that it reads, or cannot write any more.
    expect(await reason(closed())).toMatch(/certificate required|ECONNRESET|EPIPE/);
  });

  it('with an unreadable key is an error at start, and is logged', async () => {
    const { client, lockedKey } = certificates;
    const connection = closed({ cert: client.cert, key: lockedKey, passphrase: 'wrong' });
    await expect(carried(connection)).rejects.toMatchObject({
      code: 'CONNECTION_ENDED',
      message: expect.stringMatching(/decrypt/),
    });
    expect(logged('error', 'has ended (commands): ').join()).toMatch(/decrypt/);
    expect(logged('error', 'has ended (commands): ').join()).not.toContain('wrong');
  });
});
