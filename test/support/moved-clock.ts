import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, openSync, readFileSync, writeSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { executablePath } from '../../lib/testing/redis/process/local-redis.js';

const run = promisify(execFile);
const SOURCE = join('test', 'support', 'programs', 'moved-clock.c');

/** A Redis whose clock can be moved. */
export interface MovedClock {
  /** The server program to start. */
  readonly binary: string;
  /** Moves its clock to this many ms ahead of the real time; whole seconds. */
  set(aheadMs: number): void;
  remove(): Promise<void>;
}

/**
 * Prepares a server program whose clock can be moved. It needs Linux, a `redis-server` or `valkey-server` on the PATH, and a C
 * compiler (`cc`).
 *
 * @returns why that is impossible here, if it is
 */
export async function movedClock(): Promise<MovedClock | string> {
  const [server, cc] = [
    await executablePath('redis-server', 'valkey-server'),
    await executablePath('cc'),
  ];
  if (process.platform !== 'linux') return 'moving the clock of Redis needs Linux';
  if (server === undefined) return 'no redis-server or valkey-server on the PATH';
  if (cc === undefined) return 'no C compiler (cc) on the PATH';
  const library = await compiled(cc).catch((error: unknown) => `cc failed: ${String(error)}`);
  if (!existsSync(library)) return library;
  const dir = await mkdtemp(join(tmpdir(), 'nestjs-redis-streams-clock-'));
  const offset = join(dir, 'offset');
  const binary = join(dir, 'redis-server');
  await writeFile(offset, Buffer.alloc(8));
  await writeFile(
    binary,
    `#!/bin/sh\nMOVED_CLOCK_FILE='${offset}' LD_PRELOAD='${library}' exec '${server}' "$@"\n`,
    { mode: 0o755 },
  );
  const file = openSync(offset, 'r+');
  return {
    binary,
    set: (aheadMs) => {
      const bytes = Buffer.alloc(8);
      bytes.writeBigInt64LE(BigInt(aheadMs));
      writeSync(file, bytes, 0, 8, 0);
    },
    remove: () => rm(dir, { recursive: true, force: true }),
  };
}

/** The library, compiled once for all workers. */
async function compiled(cc: string): Promise<string> {
  const digest = createHash('sha1').update(readFileSync(SOURCE)).digest('hex').slice(0, 12);
  const dir = join(tmpdir(), 'nestjs-redis-streams-moved-clock');
  const library = join(dir, `${digest}.so`);
  if (existsSync(library)) return library;
  await mkdir(dir, { recursive: true });
  const made = join(dir, `${digest}.${process.pid}`);
  await run(cc, ['-O1', '-shared', '-fPIC', '-o', made, SOURCE]);
  await rename(made, library);
  return library;
}

/** Says why tests are skipped, where whoever reads the output of a run sees it. */
export function sayWhySkipped(what: string, reason: string): void {
  process.stderr.write(`\nSKIPPED: ${what}: ${reason}\n`);
}
