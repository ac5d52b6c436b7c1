import { spawn } from 'node:child_process';
import { executablePath, LocalRedis } from './process/local-redis.js';
import { answerOf, type RedisAddress, requireUsable } from './process/redis-probe.js';
import {
  type FailedWay,
  linesOf,
  messageOf,
  outputText,
  RedisNotFoundError,
  RedisStartError,
  type Source,
  type StartedRedis,
  type StartRedisOptions,
} from './started-redis.js';

/** How long a server that runs already may take to answer, and a container to start. */
const ANSWER_WITHIN_MS = 5_000;
const START_WITHIN_MS = 20_000;
const REDIS_PORT = 6379;

/** The server of `REDIS_URL`. It belongs to somebody else, and is never stopped. */
const urlSource: Source = {
  name: 'REDIS_URL',
  async start(options) {
    if (Object.values(options).some((value) => value !== undefined)) {
      throw new RedisStartError(
        'not used, since the options ask for a new server (args, port, dir or binary)',
      );
    }
    const url = process.env['REDIS_URL'];
    if (url === undefined || url === '') {
      throw new RedisStartError('the environment variable REDIS_URL is not set');
    }
    const { host, port } = await answering(url).catch((error: unknown) => {
      // The user wants this server: trying another source would hide that it is down.
      throw error instanceof RedisStartError
        ? new RedisNotFoundError([{ way: urlSource.name, reason: error.message }], { cause: error })
        : error;
    });
    return { url, host, port, source: 'url', stop: () => Promise.resolve() };
  },
};

async function answering(url: string): Promise<RedisAddress> {
  const address = parseUrl(url);
  const answer = await answerOf(address, ANSWER_WITHIN_MS);
  if (answer === undefined) {
    const { host, port } = address;
    throw new RedisStartError(
      `REDIS_URL is set, but no Redis answers at ${host}:${port} within ${ANSWER_WITHIN_MS} ms`,
    );
  }
  requireUsable(answer.version);
  return address;
}

function parseUrl(text: string): RedisAddress {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if ((url?.protocol !== 'redis:' && url?.protocol !== 'rediss:') || url.hostname === '') {
    throw new RedisStartError('REDIS_URL has to be redis://host:port or rediss://host:port');
  }
  return {
    // URLs put an IPv6 address in brackets, which sockets do not accept.
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? REDIS_PORT : Number(url.port),
    tls: url.protocol === 'rediss:',
  };
}

/** The server programs to look for, the preferred one first. */
const PROGRAMS: readonly string[] = ['redis-server', 'valkey-server'];

/** A server program of this machine, run as a child process. */
const binarySource: Source = {
  name: PROGRAMS.join(' or '),
  async start(options) {
    const binary = options.binary ?? (await executablePath(...PROGRAMS));
    if (binary === undefined) {
      throw new RedisStartError(`no ${PROGRAMS.join(' or ')} on the PATH`);
    }
    return LocalRedis.start(binary, options, 'binary');
  },
};

const LOCK_FILE = '/run/nestjs-redis-streams-apt.lock';
const OUTPUT_LENGTH = 2_000;

/** A server program that is installed first, if that is possible: as root, on Debian or Ubuntu. */
const aptSource: Source = {
  name: 'apt-get install redis-server',
  async start(options, failed) {
    if (options.binary !== undefined) {
      throw new RedisStartError('not used, since the options name a binary');
    }
    const installed = await executablePath(...PROGRAMS);
    if (installed !== undefined) {
      throw new RedisStartError(`not used, since ${installed} is already installed`);
    }
    const flock = await executablePath('flock');
    if (flock === undefined || (await executablePath('apt-get')) === undefined) {
      throw new RedisStartError('this machine is no Debian or Ubuntu with apt-get');
    }
    if (process.getuid?.() !== 0) throw new RedisStartError('it needs root');
    process.stderr.write(
      `${[
        'startRedis: installing redis-server with apt-get, because no other source gave a Redis:',
        ...linesOf(failed),
      ].join('\n')}\n`,
    );
    const output = await install(flock);
    const binary = await executablePath(...PROGRAMS);
    if (binary === undefined) {
      throw new RedisStartError(`apt-get could not install redis-server${outputText(output)}`);
    }
    return LocalRedis.start(binary, options, 'apt');
  },
};

/**
 * Installs `redis-server` for its program alone. The package starts a service on port 6379, and enables it at boot, which
 * nobody wants here. So a policy file forbids the start during the installation, unless there is one already, and then the
 * service is stopped and disabled.
 *
 * It must not run twice at the same time.
 */
const APT_INSTALL = `
  command -v redis-server >/dev/null && exit 0
  export DEBIAN_FRONTEND=noninteractive
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    trap 'exit 1' HUP INT TERM
    printf '#!/bin/sh\\nexit 101\\n' >"$policy"
    chmod 755 "$policy"
  fi
  # If the package lists cannot be updated, the existing ones may do.
  apt-get update
  apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends redis-server || exit 1
  service redis-server stop
  update-rc.d redis-server disable
  exit 0
`;

/** Returns the end of the output. Whether it succeeded shows in the program being there. */
async function install(flock: string): Promise<string> {
  // All workers of a test run may come here at once: one installs, the others wait and find it installed.
  const child = spawn(flock, [LOCK_FILE, 'sh', '-c', APT_INSTALL], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream
      .setEncoding('utf8')
      .on('data', (chunk: string) => (output = (output + chunk).slice(-OUTPUT_LENGTH)));
  }
  await new Promise<void>((resolve) => {
    child.once('error', (error) => {
      output += error.message;
      resolve();
    });
    child.once('close', () => resolve());
  });
  return output;
}

const IMAGE = 'redis:7-alpine';

/** A container of testcontainers, which removes it if this process dies. */
const dockerSource: Source = {
  name: 'Docker',
  async start({ args = [], port, dir, binary }) {
    if (dir !== undefined || binary !== undefined) {
      throw new RedisStartError(
        'not used, since the options name a dir or a binary of this machine',
      );
    }
    const { GenericContainer, getContainerRuntimeClient } = await loadTestcontainers();
    await getContainerRuntimeClient().catch(startFailed('no Docker engine answers'));
    const container = await new GenericContainer(IMAGE)
      .withCommand(['redis-server', '--save', '', '--appendonly', 'no', ...args])
      .withExposedPorts(port === undefined ? REDIS_PORT : { container: REDIS_PORT, host: port })
      .start()
      .catch(startFailed(`the container of ${IMAGE} did not start`));
    const address = { host: container.getHost(), port: container.getMappedPort(REDIS_PORT) };
    let stopping: Promise<void> | undefined;
    const stop = (): Promise<void> => (stopping ??= container.stop().then(() => undefined));
    if ((await answerOf(address, START_WITHIN_MS)) === undefined) {
      await stop();
      throw new RedisStartError(`${IMAGE} did not answer within ${START_WITHIN_MS} ms`);
    }
    return { ...address, url: `redis://${address.host}:${address.port}`, source: 'docker', stop };
  },
};

const loadTestcontainers = (): Promise<typeof import('testcontainers')> =>
  import('testcontainers').catch(
    startFailed('the package testcontainers cannot be loaded, and may not be installed'),
  );

const startFailed =
  (what: string) =>
  (cause: unknown): never => {
    throw new RedisStartError(`${what} (${messageOf(cause)})`, { cause });
  };

const SOURCES = [urlSource, binarySource, dockerSource, aptSource];

/**
 * Gives a real Redis for a test or a first try, from the first of these sources that works:
 *
 * 1. the server of the environment variable `REDIS_URL`, unless options are given;
 * 2. `redis-server` or `valkey-server` on the PATH, started empty on a free port of 127.0.0.1, without persistence; it ends
 *    with this process, however that ends;
 * 3. a container, if the package `testcontainers` is installed and a Docker engine answers;
 * 4. as root on Debian or Ubuntu, `redis-server` installed with `apt-get`, which is reported on stderr.
 *
 * If `REDIS_URL` is set and does not answer, that is an error: no other source is tried.
 *
 * @throws {@link RedisNotFoundError} if no source gives a Redis of version 6.2 or newer; it says why for each
 * @example
 * const redis = await startRedis();
 * const app = await NestFactory.create(AppModule.register({ connection: redis.url }));
 * // …
 * await app.close();
 * await redis.stop();
 */
export async function startRedis(options: StartRedisOptions = {}): Promise<StartedRedis> {
  const failed: FailedWay[] = [];
  for (const source of SOURCES) {
    try {
      return await source.start(options, failed);
    } catch (error) {
      if (!(error instanceof RedisStartError)) throw error;
      failed.push({ way: source.name, reason: error.message });
    }
  }
  throw new RedisNotFoundError(failed);
}
