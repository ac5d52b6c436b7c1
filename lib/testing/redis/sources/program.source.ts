import { spawn } from 'node:child_process';
import { executablePath, LocalRedis } from '../process/local-redis.js';
import { linesOf, outputText, RedisStartError } from '../start-redis.errors.js';
import type { Source } from '../started-redis.js';

/** The server programs to look for, the preferred one first. */
const PROGRAMS: readonly string[] = ['redis-server', 'valkey-server'];

/** A server program of this machine, run as a child process. */
export const binarySource: Source = {
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
export const aptSource: Source = {
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
