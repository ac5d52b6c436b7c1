import { createRequire } from 'node:module';
import { availableParallelism, cpus } from 'node:os';
import { Redis } from 'ioredis';

import type { ResultRow, ScenarioResult } from './scenario-result.js';

/** What the figures depend on. */
export async function printSetting(redisUrl: string): Promise<void> {
  const client = new Redis(redisUrl);
  const info = await client.info('server');
  client.disconnect();
  const server = /^(?:valkey|redis)_version:(\S+)/m.exec(info)?.[1] ?? 'unknown';
  const ioredis: unknown = createRequire(import.meta.url)('ioredis/package.json');
  console.log(
    `Node ${process.versions.node}, Redis ${server}, ioredis ${versionOf(ioredis)} (RESP2), ` +
      `${availableParallelism()} × ${cpus()[0]?.model.trim() ?? 'unknown'}`,
  );
}

/** Prints a table that fits a terminal of 80 columns. */
export function printScenario({ title, rows }: ScenarioResult, enforced: boolean): void {
  console.log(`\n${title}`);
  console.log(line('', 'median', 'min – max', ''));
  for (const row of rows) console.log(line(row.label, row.middle, row.spread, judged(row)));
  function judged({ bar }: ResultRow): string {
    if (bar === undefined || !enforced) return '';
    return `${bar.text} ${bar.met ? '✓' : '✗ missed'}`;
  }
}

const line = (label: string, middle: string, spread: string, bar: string): string =>
  `  ${label.padEnd(28)}${middle.padStart(10)}${spread.padStart(23)}  ${bar}`.trimEnd();

const versionOf = (manifest: unknown): string =>
  typeof manifest === 'object' && manifest !== null && 'version' in manifest
    ? String(manifest.version)
    : 'unknown';
