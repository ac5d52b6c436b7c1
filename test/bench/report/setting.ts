import { readFile } from 'node:fs/promises';
import { availableParallelism, cpus, totalmem } from 'node:os';

import { valueText } from './figure-text.js';
import { withRedis } from '../measure/bench-redis.js';
import { bareRate } from '../measure/bare-rate.js';

/** What the figures depend on. It names no machine. */
export interface Setting {
  readonly node: string;
  readonly redis: string;
  readonly ioredis: string;
  readonly nest: string;
  readonly cpu: string;
  readonly memoryGb: number;
  /** Messages a second of the bare loop when the bench began: how fast the machine was. */
  readonly bareRate?: number;
}

/** @param messages of the bare loop that tells how fast the machine is */
export async function currentSetting(messages: number): Promise<Setting> {
  const info = await withRedis(({ client }) => client.info('server'));
  const valkey = /^valkey_version:(\S+)/m.exec(info)?.[1];
  const redis = /^redis_version:(\S+)/m.exec(info)?.[1] ?? 'unknown';
  return {
    node: process.versions.node,
    redis: valkey === undefined ? `Redis ${redis}` : `Valkey ${valkey}`,
    ioredis: await installedVersion('ioredis'),
    nest: await installedVersion('@nestjs/microservices'),
    cpu: `${availableParallelism()} × ${cpus()[0]?.model.trim() ?? 'unknown'}`,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    bareRate: await bareRate(messages),
  };
}

export function settingText(setting: Setting): string {
  const { node, redis, ioredis, nest, cpu, memoryGb, bareRate: rate } = setting;
  const bare = rate === undefined ? '' : `, bare loop ${valueText('per second', rate)}`;
  return `Node ${node}, ${redis}, ioredis ${ioredis}, Nest ${nest}, ${cpu}, ${memoryGb} GB${bare}`;
}

/** Not all packages allow importing their manifest. */
async function installedVersion(name: string): Promise<string> {
  const manifest: unknown = JSON.parse(await readFile(`node_modules/${name}/package.json`, 'utf8'));
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest
    ? String(manifest.version)
    : 'unknown';
}
