import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { firstValueFrom } from 'rxjs';

import {
  ClientRedisStreams,
  type ConnectionOption,
  type ConnectionOptions,
  type Credentials,
} from '../../lib/index.js';
import { startRedis, type StartedRedis } from '../../lib/testing/index.js';
import { type Certificates, hasOpenssl, makeCertificates } from '../support/certificates.js';
import { documentedRights } from '../support/documented-rules.js';
import { freshName } from '../support/fresh-name.js';
import { ownRedis } from '../support/own-redis.js';
import { timeWithoutStalls } from '../support/time-without-stalls.js';
import { logged, recordedLog } from '../support/recorded-log.js';
import { type Sentinels, sentinelProgram, startSentinels } from '../support/sentinels.js';
import { closeAppsAfterEach, handlerOf, streamsApp } from '../support/streams-app.js';
import { tlsArguments } from '../support/tls-redis.js';
import { waitFor } from '../support/wait-for.js';

const canRun = (await ownRedis()) === 'process' && (await sentinelProgram()) !== undefined;
const canEncrypt = canRun && (await hasOpenssl());
/** ioredis may release this timer only when it fires, and a test would wait for it. */
const SOON_MS = 500;
const SECRET = 'hunter2-hunter2';
closeAppsAfterEach();

const stops = new Set<() => Promise<void>>();
afterEach(async () => {
  await Promise.all([...stops].map((stop) => stop()));
  stops.clear();
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

/** The first logged reason why nothing can be published that matches. */
async function reason(connection: ConnectionOption, expected: RegExp): Promise<string> {
  const client = new ClientRedisStreams({ connection, publishTimeoutMs: 1_000 });
  stops.add(() => client.close());
  const before = logged('warn', 'Redis cannot be reached (client)').length;
  await expect(firstValueFrom(client.emit('orders', { n: 1 }))).rejects.toMatchObject({
    code: 'PUBLISH_FAILED',
    ambiguous: false,
  });
  const lines = (): string[] => logged('warn', 'Redis cannot be reached (client)').slice(before);
  return waitFor(() => lines().find((line) => expected.test(line)));
}

(canRun ? describe : describe.skip)('Sentinel', () => {
  let redis: StartedRedis;
  let sentinels: Sentinels;
  beforeAll(async () => {
    redis = await startRedis({ args: [] });
  });
  afterAll(() => redis.stop());

  async function watched(): Promise<Sentinels> {
    sentinels = await startSentinels(redis.port);
    stops.add(sentinels.stop);
    return sentinels;
  }

  it('that is away at start is waited for, and the log says so', async () => {
    const { connection, processes } = await watched();
    for (const child of processes) child.kill('SIGSTOP');
    const stream = freshName('orders');
    const got: unknown[] = [];
    const before = logged('warn', 'Redis cannot be reached (commands)').length;
    const starting = streamsApp(
      { connection, group: 'billing' },
      { controllers: [handlerOf(stream, (data) => void got.push(data))] },
    );
    await waitFor(() => logged('warn', 'Redis cannot be reached (commands)').length > before);
    expect(logged('warn', 'Redis cannot be reached (commands)')[before]).toMatch(/sentinel/i);
    for (const child of processes) child.kill('SIGCONT');
    const app = await starting;
    await app.emit(stream, { n: 1 });
    await waitFor(() => got.length === 1);
  });

  it('of which one member does not answer is asked elsewhere', async () => {
    const { connection, processes } = await watched();
    processes[0]?.kill('SIGSTOP');
    const got = carried(connection);
    expect(await timeWithoutStalls(got)).toBeLessThan(8_000);
    expect(await got).toEqual({ n: 1 });
  });

  it('has a password of its own, and Redis that of the function; a wrong password or name is logged', async () => {
    const { connection, client } = await watched();
    await client.call('ACL', 'SETUSER', 'default', 'resetpass', `>${SECRET}`);
    const rights = await documentedRights('With Sentinel, the user on the sentinels needs');
    expect(rights).toContain('-@all');
    await client.call('ACL', 'SETUSER', 'asker', ...rights, `>${SECRET}`);
    const [only] = connection.sentinels;
    const look = new Redis(redis.url);
    await look.call('ACL', 'SETUSER', 'app', 'on', '>token', '~*', '&*', '+@all');
    look.disconnect();
    let asked = 0;
    const credentials = (): Credentials => {
      asked++;
      return { username: 'app', password: 'token' };
    };
    const sentinelOptions = {
      name: connection.name,
      sentinels: [only!],
      credentials,
      sentinelCommandTimeout: SOON_MS,
    };
    expect(await carried({ ...sentinelOptions, sentinelPassword: SECRET })).toEqual({ n: 1 });
    expect(asked).toBe(3);
    const asker = { ...sentinelOptions, sentinelUsername: 'asker', sentinelPassword: SECRET };
    expect(await carried(asker)).toEqual({ n: 1 });
    const wrong = { ...sentinelOptions, sentinelPassword: `${SECRET}-not` };
    await reason(wrong, /sentinel 127.0.0.1:\d+ because WRONGPASS/);
    const other = { ...sentinelOptions, sentinelPassword: SECRET, name: 'other' };
    await reason(other, new RegExp(`sentinel 127.0.0.1:${only?.port} knows no primary "other"`));
    expect(JSON.stringify(recordedLog.lines)).not.toContain(SECRET);
  });
});

(canEncrypt ? describe : describe.skip)('TLS with Sentinel', () => {
  let certificates: Certificates;
  let redis: StartedRedis;
  let sentinels: Sentinels;
  beforeAll(async () => {
    certificates = await makeCertificates();
    const { port, args } = await tlsArguments(certificates, false);
    redis = await startRedis({ args });
    const { caFile, server } = certificates;
    const lines = [
      'tls-replication yes',
      `tls-ca-cert-file ${caFile}`,
      `tls-cert-file ${server.certFile}`,
      `tls-key-file ${server.keyFile}`,
    ];
    sentinels = await startSentinels(port, { count: 1, lines });
  });
  afterAll(async () => {
    await sentinels.stop();
    await redis.stop();
    await certificates.remove();
  });

  const withTls = (tls: NonNullable<ConnectionOptions['tls']>): ConnectionOptions => ({
    ...sentinels.connection,
    sentinelCommandTimeout: SOON_MS,
    tls,
  });

  it('is used if tls is set, and certificates are verified', async () => {
    expect(await carried(withTls({ ca: certificates.ca }))).toEqual({ n: 1 });
    expect(await carried(withTls({ rejectUnauthorized: false }))).toEqual({ n: 1 });
    await reason(withTls({ ca: certificates.otherCa }), /certificate/);
    await reason(withTls({}), /certificate/);
    const tls = { ca: certificates.ca };
    const factory: ConnectionOption = ({ options }) =>
      new Redis({ ...options, ...sentinels.connection, tls });
    expect(await carried(factory)).toEqual({ n: 1 });
  });

  it('is used if the URL says rediss', async () => {
    const connection = { ...sentinels.connection, sentinelCommandTimeout: SOON_MS };
    const url = 'rediss://127.0.0.1';
    expect(await carried({ ...connection, url, tls: { ca: certificates.ca } })).toEqual({ n: 1 });
    await reason({ ...connection, url }, /certificate/);
  });
});
