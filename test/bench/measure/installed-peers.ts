import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** Another package, with what it needs, and a worker that serves the bench's tasks with it. */
export type Peer = 'bullmq' | 'de-novo' | 'moleculer';

const SOURCE = join('test', 'bench', 'peers');
const TARGET = join(tmpdir(), 'nestjs-redis-streams-bench-peers');

/**
 * Installs what a peer's manifest names, exactly, into a separate folder outside the repository, unless it is
 * already installed: no peer meets the versions of another, or ours.
 *
 * @returns the path of its worker
 */
export async function installedPeer(peer: Peer): Promise<URL> {
  const folder = join(TARGET, peer);
  await mkdir(folder, { recursive: true });
  const manifest = await readFile(join(SOURCE, peer, 'package.json'), 'utf8');
  if (manifest !== (await installedManifest(folder))) {
    await writeFile(join(folder, 'package.json'), manifest);
    await install(folder, peer);
    await writeFile(join(folder, 'installed.json'), manifest);
  }
  await copyFile(join(SOURCE, 'serve-tasks.mjs'), join(folder, 'serve-tasks.mjs'));
  await copyFile(join(SOURCE, peer, 'worker.mjs'), join(folder, 'worker.mjs'));
  return pathToFileURL(join(folder, 'worker.mjs'));
}

/** What was installed completely; undefined if that was interrupted. */
const installedManifest = (folder: string): Promise<string | undefined> =>
  readFile(join(folder, 'installed.json'), 'utf8').catch(() => undefined);

async function install(folder: string, peer: Peer): Promise<void> {
  const args = ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error'];
  const npm = spawn('npm', args, { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
  const [code] = (await once(npm, 'close')) as [number | null];
  if (code !== 0) throw new Error(`npm could not install ${peer}: ${code}`);
}

/** The version of a package that a peer's manifest names. */
export async function pinnedVersion(peer: Peer, name: string): Promise<string> {
  const manifest = JSON.parse(await readFile(join(SOURCE, peer, 'package.json'), 'utf8')) as {
    readonly dependencies: Readonly<Record<string, string>>;
  };
  const version = manifest.dependencies[name];
  if (version === undefined) throw new Error(`${peer} does not name ${name}`);
  return version;
}
