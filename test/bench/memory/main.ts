/**
 * What messages cost Redis: memory for each row that this package stores, and the bytes of a message in the
 * network and in the append-only file. Except for CPU time, which is an upper bound then, nothing depends on
 * other load on the machine.
 *
 *     npm run measure:memory             # 100 000 of each
 *     npm run measure:memory -- 1000000
 */
import { Logger } from '@nestjs/common';
import { Redis } from 'ioredis';
import { startRedis } from 'nestjs-redis-streams/testing';

import { figureOf } from './info.js';
import { ROWS } from './rows.js';
import { TRAFFIC } from './traffic.js';

const count = Number(process.argv[2] ?? 100_000);
if (!Number.isInteger(count) || count < 1_000) throw new Error('a whole number, 1000 or more');

Logger.overrideLogger(['error']);
// If the file were rewritten meanwhile, it would be shorter than what was written.
const args = '--appendonly yes --appendfsync no --auto-aof-rewrite-percentage 0'.split(' ');
const server = await startRedis({ args });
const client = new Redis(server.url);
try {
  const version = /^(?:valkey|redis)_version:(\S+)/m.exec(await client.info('server'))?.[1];
  console.log(`Redis ${version}, Node ${process.versions.node}, ${count} of each\n`);
  console.log(`${'memory'.padEnd(58)}${'bytes each'.padStart(12)}`);
  for (const { name, prepare, write } of ROWS) {
    await client.flushall();
    await prepare?.(client, count);
    const before = await figureOf(client, 'memory', 'used_memory');
    await write(client, count);
    const bytes = ((await figureOf(client, 'memory', 'used_memory')) - before) / count;
    console.log(`${name.padEnd(58)}${bytes.toFixed(1).padStart(12)}`);
  }
  const columns = ['to Redis', 'from Redis', 'AOF', 'CPU µs'];
  console.log(`\n${'bytes a message'.padEnd(42)}${columns.map((it) => it.padStart(11)).join('')}`);
  await client.flushall();
  for (const { name, run } of TRAFFIC) {
    const { toRedis, fromRedis, toFile, cpuUs } = await run(client, server.url, count);
    const figures = [toRedis, fromRedis, toFile, cpuUs].map((it) => it.toFixed(1).padStart(11));
    console.log(`${name.padEnd(42)}${figures.join('')}`);
  }
} finally {
  client.disconnect();
  await server.stop();
}
