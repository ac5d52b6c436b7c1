import { afterAll, describe } from '@jest/globals';

import { hasOpenssl, makeCertificates } from '../support/certificates.js';
import { ownRedis } from '../support/own-redis.js';
import { tlsArguments } from '../support/tls-redis.js';
import { conformanceSuite } from './conformance-suite.js';

const canRun = (await hasOpenssl()) && (await ownRedis()) === 'process';
const certificates = canRun ? await makeCertificates() : undefined;
const server = certificates === undefined ? undefined : await tlsArguments(certificates, true);

const [withTls, title] = canRun
  ? [describe, 'TLS']
  : [describe.skip, 'skipped: openssl and a redis-server of our own are needed'];

withTls(title, () => {
  const { ca = '', client } = certificates ?? {};
  const tls = { ca, cert: client?.cert, key: client?.key };
  afterAll(() => certificates?.remove());
  conformanceSuite({
    name: 'with client certificates',
    args: server?.args ?? [],
    connection: { host: '127.0.0.1', port: server?.port ?? 0, tls },
  });
});
