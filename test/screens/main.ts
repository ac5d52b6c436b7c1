/**
 * Makes the screens of docs/operations.md: a shop of six processes runs for four minutes on a Redis of its
 * own, a Prometheus reads its metrics, and then `nest-streams` is run in a terminal and the dashboard drawn.
 * It needs `prometheus` and `script` on the PATH.
 *
 * npm run screens
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { startRedis } from 'nestjs-redis-streams/testing';
import { Redis } from 'ioredis';

import { dashboardPicture, type Panel } from './dashboard.js';
import { startPrometheus } from './prometheus.js';
import { KILLED_S, RUNS_S, SERVICES, sleep } from './setting.js';
import { terminalPicture } from './svg.js';

const run = promisify(execFile);
// From dist/programs/test/screens.
const root = (path: string): string =>
  fileURLToPath(new URL(`../../../../${path}`, import.meta.url));
const screen = (name: string): string => root(`docs/screens/${name}.svg`);
const COMMANDS = {
  overview: 'overview',
  doctor: 'doctor --max-age 5m --gone-after 20s',
} as const;

/** A service, and the port of its metrics. */
async function startService(name: string, url: string): Promise<[ChildProcess, number]> {
  const program = root('dist/programs/test/screens/service.program.js');
  const child = spawn(process.execPath, [program, name], {
    env: { ...process.env, REDIS_URL: url },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const port = await new Promise<number>((resolve, reject) => {
    child.stdout.once('data', (line) => resolve(Number(line)));
    child.once('close', () => reject(new Error(`${name} ended`)));
  });
  return [child, port];
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => {
    server.close(resolve);
  });
  return port;
}

/** What a command writes to a terminal of 80 columns, whatever its exit code. */
async function inTerminal(command: string, url: string): Promise<string> {
  const line = `stty cols 80; exec '${process.execPath}' '${root('dist/cjs/cli/main.js')}' ${command}`;
  const env = { ...process.env, REDIS_URL: url, NO_COLOR: '1' };
  const ended = await run('script', ['-qec', line, '/dev/null'], { env }).catch((error) => error);
  const last = String(ended.stdout).split('\u001B[2K').at(-1) ?? '';
  // oxlint-disable-next-line no-control-regex
  return last.replaceAll(/\u001B\[[0-9;?]*[A-Za-z]/g, '').replaceAll('\r', '');
}

const redis = await startRedis({ args: [] });
const client = new Redis(redis.url);
const children: ChildProcess[] = [];

async function pendingOf(consumer: string): Promise<number> {
  const args = ['orders', 'billing', 'IDLE', '0', '-', '+', '20', consumer] as const;
  return ((await client.call('XPENDING', ...args)) as unknown[]).length;
}

try {
  // A former service, which left its group behind.
  await client.xgroup('CREATE', 'orders', 'analytics', '0', 'MKSTREAM');
  const ports: number[] = [];
  for (const name of SERVICES) {
    const [child, port] = await startService(name, redis.url);
    children.push(child);
    ports.push(port);
  }
  const prometheus = await startPrometheus(await freePort(), ports);
  try {
    const from = Math.ceil(Date.now() / 1_000);
    await sleep(KILLED_S * 500);
    await client.call('CLIENT', 'KILL', 'TYPE', 'normal');
    await sleep(KILLED_S * 500);
    // In the middle of its work, so that it leaves some.
    while ((await pendingOf('billing.web-2')) < 5) await sleep(5);
    children[SERVICES.indexOf('billing-2')]?.kill('SIGKILL');
    await sleep((RUNS_S - KILLED_S) * 1_000);
    for (const [name, command] of Object.entries(COMMANDS)) {
      const output = await inTerminal(command, redis.url);
      process.stdout.write(`$ nest-streams ${command}\n${output}\n`);
      await writeFile(screen(name), terminalPicture(`nest-streams ${command}`, output));
    }
    const to = Math.floor(Date.now() / 1_000);
    const dashboard = await readFile(root('docs/grafana-dashboard.json'), 'utf8');
    const { panels }: { panels: Panel[] } = JSON.parse(dashboard);
    await writeFile(screen('dashboard'), await dashboardPicture(panels, prometheus, [from, to]));
  } finally {
    await prometheus.stop();
  }
} finally {
  for (const child of children) child.kill('SIGKILL');
  client.disconnect();
  await redis.stop();
}
