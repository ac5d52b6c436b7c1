/**
 * Installs the packed package into apps like those of its users, and runs them over a real Redis.
 *
 * node test/pack/run.mjs [file for { passed, failed }]
 *
 * PACK_TARBALL names a package that is already packed.
 */
import { spawn } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { installedOf, namedFromRoot, optionalLibraries } from './optional.mjs';

const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = join(HERE, '..', '..');
const PACKAGE = 'nestjs-redis-streams';
/** For commands that hang: they run together with all other tests. */
const TIMEOUT_MS = 600_000;
const QUIET = ['--no-audit', '--no-fund'];
/** For working on one of them: its folder. */
const ONLY = process.env['PACK_APP'];

const counts = { passed: 0, failed: 0 };

/** The output of a command. Its whole process group is killed if it takes too long. */
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
  const packed = process.env['PACK_TARBALL'];
  if (packed !== undefined) {
    const isThere = await test('is packed', () => run(ROOT, 'tar', '-tzf', packed));
    return isThere ? packed : undefined;
  }
  await test('packs', () => run(ROOT, 'npm', 'pack', '--pack-destination', directory));
  const tarball = (await readdir(directory)).find((name) => name.endsWith('.tgz'));
  return tarball === undefined ? undefined : join(directory, tarball);
}

async function install(app, tarball) {
  return run(app, 'npm', 'install', '--strict-peer-deps', ...QUIET, tarball);
}

const tsc = (app, ...args) =>
  run(app, process.execPath, 'node_modules/typescript/bin/tsc', ...args);

/** Our own declarations with this app's Nest. Errors in other packages' declarations are ignored. */
async function ownDeclarations(app) {
  const { output } = await tsc(app, '--noEmit', '--skipLibCheck', 'false');
  const ours = output.split('\n').filter((line) => line.includes(`node_modules/${PACKAGE}/`));
  return { ok: ours.length === 0, output: ours.join('\n') };
}

const program = (name) => (app) => run(app, process.execPath, `dist/${name}.js`);

/** It starts under the name that npm gives it, and reports that no Redis answers. */
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

async function vitest(app) {
  return run(app, process.execPath, 'node_modules/vitest/vitest.mjs', 'run');
}

/** Nobody has to install, compile or load a library that only some users need. */
async function optionalLibrariesStayAway(app, tarball) {
  const libraries = await optionalLibraries(ROOT);
  const leaveOut = ['--omit=optional', '--omit=peer'];
  const installed = await run(app, 'npm', 'install', ...leaveOut, ...QUIET, tarball);
  if (!installed.ok) return installed;
  const ls = (...more) => run(app, 'npm', 'ls', '--loglevel=silent', ...leaveOut, ...more);
  const [listed, tree] = [(await ls()).output, JSON.parse((await ls('--all', '--json')).output)];
  const shown = libraries.filter((name) => listed.includes(name));
  const problems = [...shown, ...installedOf(tree, libraries)].map(
    (name) => `npm ls shows ${name}`,
  );
  for (const format of ['esm', 'cjs']) {
    for (const suffix of ['.d.ts', '.js']) {
      const from = join(app, 'node_modules', PACKAGE);
      const named = await namedFromRoot(from, format, suffix, libraries);
      problems.push(...named.map((where) => `${format}: ${where}`));
    }
  }
  const isEnough = libraries.length > 2;
  return { ok: isEnough && problems.length === 0, output: [...libraries, ...problems].join('\n') };
}

const ONE_MESSAGE = {
  programs: {
    'one-message': 'publishes and handles one message, and ends',
    'microservices-sample':
      "runs Nest's microservices sample with only the transport changed, and ends",
    'nest-habits': 'does what is expected of any Nest transport, and ends',
    'two-instances': 'has two instances, and code of another copy of the package, and ends',
  },
};
const OBSERVED = { programs: { observed: 'is healthy, has metrics and traces, and ends' } };
const KIT = { does: 'is tested with the test kit' };
const APPS = [
  { folder: 'esm-nest-12', name: 'ESM app, Nest 12', ...ONE_MESSAGE },
  { folder: 'commonjs-nest-11', name: 'CommonJS app, Nest 11', ...ONE_MESSAGE },
  { folder: 'jest-nest-11', name: 'Jest of a CommonJS project, Nest 11', runs: jest, ...KIT },
  { folder: 'vitest-nest-12', name: 'Vitest, Nest 12', runs: vitest, ...KIT },
  { folder: 'observed-nest-11', name: 'Nest 11, terminus 11', ...OBSERVED },
  { folder: 'observed-nest-12', name: 'Nest 12, terminus 12', ...OBSERVED },
].filter(({ folder }) => ONLY === undefined || folder === ONLY);

const temporary = await mkdtemp(join(tmpdir(), `${PACKAGE}-pack-`));
try {
  const tarball = await pack(temporary);
  const copied = async (folder) => {
    const app = join(temporary, folder);
    await cp(join(HERE, 'apps', folder), app, { recursive: true });
    return app;
  };
  if (tarball !== undefined) {
    await test('optional libraries are not installed, named in types or loaded', async () =>
      optionalLibrariesStayAway(await copied('bare'), tarball));
  }
  for (const { folder, name, programs = {}, does, runs } of tarball === undefined ? [] : APPS) {
    const app = await copied(folder);
    // Each app is a copy of it, and compiles it differently.
    for (const source of Object.keys(programs)) {
      await mkdir(join(app, 'src'), { recursive: true });
      await cp(join(HERE, `${source}.ts`), join(app, 'src', `${source}.ts`));
    }
    if (await test(`${name}: installs`, () => install(app, tarball))) {
      await test(`${name}: its types fit`, () => tsc(app));
      await test(`${name}: our declarations fit its dependencies`, () => ownDeclarations(app));
      await test(`${name}: has the command line`, () => commandLine(app));
      for (const [source, doing] of Object.entries(programs)) {
        await test(`${name}: ${doing}`, () => program(source)(app));
      }
      if (runs !== undefined) await test(`${name}: ${does}`, () => runs(app));
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
