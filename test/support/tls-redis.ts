import { freePort } from '../../lib/testing/redis/process/local-redis.js';
import type { Certificates } from './certificates.js';

/** A port for TLS, and the arguments with which a Redis also listens there. */
export async function tlsArguments(
  { caFile, server }: Certificates,
  asksClients: boolean,
): Promise<{ port: number; args: string[] }> {
  const port = await freePort();
  const args = [
    ['--tls-port', String(port)],
    ['--tls-cert-file', server.certFile],
    ['--tls-key-file', server.keyFile],
    ['--tls-ca-cert-file', caFile],
    ['--tls-auth-clients', asksClients ? 'yes' : 'no'],
  ].flat();
  return { port, args };
}
