import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A certificate with its key, as files. */
interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
  readonly cert: string;
  readonly key: string;
}

/** Certificates generated for the test, for 127.0.0.1. */
export interface Certificates {
  readonly caFile: string;
  readonly ca: string;
  /** From an authority that signed none of them. */
  readonly otherCa: string;
  readonly server: Certificate;
  readonly client: Certificate;
  /** The client's key, which can only be read with the passphrase. */
  readonly lockedKey: string;
  readonly passphrase: string;
  remove(): Promise<void>;
}

/** Whether certificates can be generated here. */
export const hasOpenssl = (): Promise<boolean> =>
  run('openssl', ['version']).then(
    () => true,
    () => false,
  );

/** Generates them with `openssl`. They are valid for a day. */
export async function makeCertificates(): Promise<Certificates> {
  const dir = await mkdtemp(join(tmpdir(), 'nestjs-redis-streams-tls-'));
  const path = (name: string): string => join(dir, name);
  const openssl = (...args: string[]): Promise<unknown> => run('openssl', args, { cwd: dir });
  const NEW_KEY = '-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'.split(' ');

  const authority = async (name: string): Promise<string> => {
    const subject = ['-subj', `/CN=${name}`, '-days', '1'];
    const files = ['-keyout', `${name}.key`, '-out', `${name}.crt`];
    await openssl('req', '-x509', ...NEW_KEY, ...subject, ...files);
    return readFile(path(`${name}.crt`), 'utf8');
  };
  const signed = async (name: string): Promise<Certificate> => {
    await writeFile(path(`${name}.ext`), 'subjectAltName=IP:127.0.0.1,DNS:localhost\n');
    const files = ['-keyout', `${name}.key`, '-out', `${name}.csr`];
    await openssl('req', '-new', ...NEW_KEY, '-subj', `/CN=${name}`, ...files);
    const by = '-CA ca.crt -CAkey ca.key -CAcreateserial -days 1'.split(' ');
    const requestArgs = ['-in', `${name}.csr`, '-extfile', `${name}.ext`, '-out', `${name}.crt`];
    await openssl('x509', '-req', ...by, ...requestArgs);
    const [certFile, keyFile] = [path(`${name}.crt`), path(`${name}.key`)];
    const [cert, key] = await Promise.all([readFile(certFile, 'utf8'), readFile(keyFile, 'utf8')]);
    return { certFile, keyFile, cert, key };
  };

  const ca = await authority('ca');
  const otherCa = await authority('other');
  const server = await signed('server');
  const client = await signed('client');
  const passphrase = 'open sesame';
  const lock = ['-aes256', '-passout', `pass:${passphrase}`, '-out', 'locked.key'];
  await openssl('ec', '-in', 'client.key', ...lock);
  return {
    caFile: path('ca.crt'),
    ca,
    otherCa,
    server,
    client,
    lockedKey: await readFile(path('locked.key'), 'utf8'),
    passphrase,
    remove: () => rm(dir, { recursive: true, force: true }),
  };
}
