import { spawn } from 'node:child_process';

import { executablePath } from '../process/executable-path.js';
import { LocalRedis } from '../process/local-redis.js';
import { RedisStartError } from '../redis-start.error.js';
import * as messages from '../testing.messages.js';
import { APT_INSTALL } from './apt-install.script.js';
import { SERVER_PROGRAMS } from './binary.way.js';
import type { Way } from './way.js';

const LOCK_FILE = '/run/nestjs-redis-streams-apt.lock';
const OUTPUT_LENGTH = 2_000;

/** A server program that is installed first, where that can be done: as root, on Debian or Ubuntu. */
export const aptWay: Way = {
  name: 'apt-get install redis-server',
  async start(options, failed) {
    if (options.binary !== undefined) {
      throw new RedisStartError(messages.aptNotWanted());
    }
    const installed = await executablePath(...SERVER_PROGRAMS);
    if (installed !== undefined) {
      throw new RedisStartError(messages.aptNotNeeded(installed));
    }
    const flock = await executablePath('flock');
    if (flock === undefined || (await executablePath('apt-get')) === undefined) {
      throw new RedisStartError(messages.notDebian());
    }
    if (process.getuid?.() !== 0) {
      throw new RedisStartError(messages.notRoot());
    }
    process.stderr.write(`${messages.installing(failed)}\n`);
    const output = await install(flock);
    const binary = await executablePath(...SERVER_PROGRAMS);
    if (binary === undefined) {
      throw new RedisStartError(messages.aptFailed(output));
    }
    return LocalRedis.start(binary, options, 'apt');
  },
};

/** The end of what was said meanwhile. Whether it went well shows in the program being there. */
async function install(flock: string): Promise<string> {
  // Workers of one test run come here at the same moment: one installs, the others wait and find it done.
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
