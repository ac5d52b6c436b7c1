import { execFile, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, rename } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { describe } from '@jest/globals';

/** Runs a program of a partner to its end. It reads and writes one JSON value a line. */
export type Run = (words: readonly string[], lines?: readonly unknown[]) => Promise<unknown[]>;

/** A program must end by itself; this is for one that does not. */
const LIMIT_MS = 150_000;
const FOLDER = fileURLToPath(new URL('.', import.meta.url));
const DEBIAN_PYTHON = '/usr/bin/python3';

type Describe = typeof describe | typeof describe.skip;

/**
 * `describe`, or `describe.skip` if the command fails, with the reason in the output of the tests.
 *
 * @param packages those of Debian that it needs
 */
function describeIf(what: string, command: string, words: string[], packages: string): Describe {
  const { error, status, stderr } = spawnSync(command, words, { encoding: 'utf8' });
  if (error === undefined && status === 0) return describe;
  const [reason = ''] = (error?.message ?? stderr).trim().split('\n').slice(-1);
  process.stderr.write(
    `Skipped, since ${what} cannot run (${reason}). To run it on Debian: apt-get install ${packages}\n`,
  );
  return describe.skip;
}

/** @example withGo()('Watermill', () => { … }); */
export const withGo = (): Describe => describeIf('Go', 'go', ['version'], 'golang');
export const withPython = (): Describe =>
  describeIf(
    'Python with its Redis client',
    DEBIAN_PYTHON,
    ['-c', 'import redis, msgpack'],
    'python3-redis python3-msgpack',
  );

/** Runs a program in `python/`. */
export const python =
  (program: string, redisUrl: string): Run =>
  (words, lines) =>
    linesOf(DEBIAN_PYTHON, [join(FOLDER, 'python', program), ...words], lines, {
      REDIS_URL: redisUrl,
      // Leaves no compiled files in the repository.
      PYTHONDONTWRITEBYTECODE: '1',
      PYTHONIOENCODING: 'utf-8',
    });

/** Compiles `go/`, from the standard library only, and runs it. */
export async function go(redisUrl: string): Promise<Run> {
  const directory = process.env['COMPILED_PACKAGE'];
  if (directory === undefined) throw new Error("jest's globalSetup makes the directory");
  await mkdir(directory, { recursive: true });
  const program = join(directory, 'interop-go');
  const unfinished = `${program}.${randomBytes(4).toString('hex')}`;
  await promisify(execFile)('go', ['build', '-buildvcs=false', '-o', unfinished, '.'], {
    cwd: join(FOLDER, 'go'),
    env: {
      ...process.env,
      GOCACHE: process.env['GOCACHE'] ?? join(tmpdir(), 'nestjs-redis-streams-go'),
      GOFLAGS: '',
      GOTOOLCHAIN: 'local',
      GOPROXY: 'off',
    },
  });
  await rename(unfinished, program);
  return (words, lines) => linesOf(program, words, lines, { REDIS_URL: redisUrl });
}

async function linesOf(
  command: string,
  words: readonly string[],
  lines: readonly unknown[] = [],
  env: NodeJS.ProcessEnv,
): Promise<unknown[]> {
  const running = promisify(execFile)(command, [...words], {
    env: { ...process.env, ...env },
    timeout: LIMIT_MS,
    killSignal: 'SIGKILL',
    maxBuffer: 64 * 1024 * 1024,
  });
  // A program that ends before it has read everything reports why by itself.
  running.child.stdin?.on('error', () => undefined);
  running.child.stdin?.end(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  const { stdout } = await running;
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line): unknown => JSON.parse(line));
}
