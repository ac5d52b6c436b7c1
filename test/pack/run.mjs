/**
 * Installs the packed package into apps as its users have them, and runs them over a real Redis.
 *
 * node test/pack/run.mjs [file for { passed, failed }]
 */
import { spawn } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = join(HERE, '..', '..');
const PACKAGE = 'nestjs-redis-streams';
const TIMEOUT_MS = 240_000;

const counts = { passed: 0, failed: 0 };

/** What a command printed. Its whole process group is ended where it takes too long. */
async function run(cwd, command, ...args) {
  const child = spawn(command, args, { cwd, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk) => (output += chunk));
  }
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    process.kill(-child.pid, 'SIGKILL');
  }, TIMEOUT_MS);
  const code = await new Promise((resolve, reject) =>
    child.once('error', reject).once('close', resolve),
  );
  clearTimeout(timer);
  return { ok: code === 0, output: late ? `${output}\nnot done within ${TIMEOUT_MS} ms` : output };
}

async function test(name, body) {
  const { ok, output } = await body().catch((error) => ({
    ok: false,
    output: String(error.stack),
  }));
  counts[ok ? 'passed' : 'failed'] += 1;
  console.log(`${ok ? '✓' : '✗'} ${name}`);
  if (!ok) {
    console.log(output);
  }
  return ok;
}

/** Path of the tarball, if there is one. */
async function pack(directory) {
  await test('packs', () => run(ROOT, 'npm', 'pack', '--pack-destination', directory));
  const tarball = (await readdir(directory)).find((name) => name.endsWith('.tgz'));
  return tarball === undefined ? undefined : join(directory, tarball);
}

async function install(app, tarball) {
  return run(app, 'npm', 'install', '--strict-peer-deps', '--no-audit', '--no-fund', tarball);
}

const tsc = (app, ...args) =>
  run(app, process.execPath, 'node_modules/typescript/bin/tsc', ...args);

/** Our own declarations against this app's Nest. Errors in those of others are not ours to find. */
async function ownDeclarations(app) {
  const { output } = await tsc(app, '--noEmit', '--skipLibCheck', 'false');
  const ours = output.split('\n').filter((line) => line.includes(`node_modules/${PACKAGE}/`));
  return { ok: ours.length === 0, output: ours.join('\n') };
}

async function program(app) {
  return run(app, process.execPath, 'dist/one-message.js');
}

/** It starts by the name that npm gives it, and says what is wrong where no Redis answers. */
async function commandLine(app) {
  const version = await run(app, 'npx', '--no', 'nest-streams', '--version');
  if (!version.ok || !/^\d+\.\d+\.\d+/.test(version.output)) return { ...version, ok: false };
  const nobody = ['--url', 'redis://127.0.0.1:1'];
  const publish = await run(app, 'npx', '--no', 'nest-streams', 'publish', 'a', '1', ...nobody);
  return { ok: publish.output.includes('cannot be reached'), output: publish.output };
}

async function jest(app) {
  return run(app, process.execPath, 'node_modules/jest/bin/jest.js', '--ci');
}

const APPS = [
  { folder: 'esm-nest-12', name: 'ESM app, Nest 12', runs: program },
  { folder: 'commonjs-nest-11', name: 'CommonJS app, Nest 11', runs: program },
  { folder: 'jest-nest-11', name: 'Jest of a CommonJS project, Nest 11', runs: jest },
];

const temporary = await mkdtemp(join(tmpdir(), `${PACKAGE}-pack-`));
try {
  const tarball = await pack(temporary);
  for (const { folder, name, runs } of tarball === undefined ? [] : APPS) {
    const app = join(temporary, folder);
    await cp(join(HERE, 'apps', folder), app, { recursive: true });
    if (runs === program) {
      await mkdir(join(app, 'src'));
      await cp(join(HERE, 'one-message.ts'), join(app, 'src', 'one-message.ts'));
    }
    if (await test(`${name}: installs`, () => install(app, tarball))) {
      await test(`${name}: its types fit`, () => tsc(app));
      await test(`${name}: our declarations fit its dependencies`, () => ownDeclarations(app));
      await test(`${name}: has the command line`, () => commandLine(app));
      await test(`${name}: publishes and handles one message, and ends`, () => runs(app));
    }
  }
} finally {
  await rm(temporary, { recursive: true, force: true });
  if (process.argv[2] !== undefined) {
    await writeFile(process.argv[2], JSON.stringify(counts));
  }
}
console.log(`pack tests: ${counts.passed} passed, ${counts.failed} failed`);
process.exitCode = counts.failed === 0 ? 0 : 1;
