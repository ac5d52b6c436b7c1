/**
 * What a ledger costs, for each layout: bytes for each message ID, and the work of Redis (its CPU time) for
 * each message that is looked up, recorded (in batches of 100) or packed.
 *
 *     node dist/programs/test/bench/ledger/main.js 100000 1000000
 */
import { randomUUID } from 'node:crypto';

import { Redis } from 'ioredis';
import { startRedis } from 'nestjs-redis-streams/testing';

import { median } from '../measure/statistics.js';
import { type Layout, LAYOUTS } from './layouts.js';

const BATCH = 100;
const ROUNDS = 5;
const BATCHES = 60;

/** One server with one ledger. */
class Filled {
  readonly lookFor: number[] = [];
  readonly record: number[] = [];
  readonly pack: number[] = [];

  private constructor(
    readonly layout: Layout,
    readonly size: number,
    readonly client: Redis,
    readonly bytes: number,
    readonly stop: () => Promise<void>,
  ) {}

  static async make(layout: Layout, size: number): Promise<Filled> {
    const server = await startRedis({ args: [] });
    const client = new Redis(server.url);
    const before = await usedMemory(client);
    const start = Date.now() - size;
    for (let n = 0; n < size; n += BATCH) {
      await send(client, layout, 'record', size, start + n);
      if (n % 10_000 === 0) await layout.pack?.(client);
    }
    await layout.pack?.(client);
    const bytes = ((await usedMemory(client)) - before) / size;
    return new Filled(layout, size, client, bytes, async () => {
      client.disconnect();
      await server.stop();
    });
  }

  /** Redis's CPU time for each message, in µs. */
  async measure(what: 'lookFor' | 'record'): Promise<void> {
    const before = await usedCpu(this.client);
    for (let n = 0; n < BATCHES; n++) await send(this.client, this.layout, what, this.size);
    this[what].push(((await usedCpu(this.client)) - before) / BATCHES / BATCH);
  }

  /** Packs what was recorded since. */
  async measurePacking(): Promise<void> {
    const before = await usedCpu(this.client);
    const packed = (await this.layout.pack?.(this.client)) ?? 0;
    if (packed > 0) this.pack.push(((await usedCpu(this.client)) - before) / packed);
  }
}

function send(
  client: Redis,
  { keys, argument, ...layout }: Layout,
  what: 'lookFor' | 'record',
  size: number,
  now = Date.now(),
): Promise<unknown> {
  const ids = Array.from({ length: BATCH }, () => randomUUID());
  const all = keys(ids, size);
  return client.eval(layout[what], all.length, ...all, argument(ids), now);
}

const figure = async (client: Redis, section: string, name: string): Promise<number> =>
  Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(await client.info(section))?.[1]);

const usedMemory = (client: Redis): Promise<number> => figure(client, 'memory', 'used_memory');

async function usedCpu(client: Redis): Promise<number> {
  const times = [figure(client, 'cpu', 'used_cpu_user'), figure(client, 'cpu', 'used_cpu_sys')];
  return (await Promise.all(times)).reduce((a, b) => a + b) * 1e6;
}

for (const size of process.argv.slice(2).map(Number)) {
  const ledgers: Filled[] = [];
  for (const layout of LAYOUTS) ledgers.push(await Filled.make(layout, size));
  // In turn, so that other load on the machine affects all alike.
  for (let round = 0; round < ROUNDS; round++) {
    for (const what of ['lookFor', 'record'] as const) {
      for (const ledger of ledgers) await ledger.measure(what);
    }
    for (const ledger of ledgers) await ledger.measurePacking();
  }
  for (const { layout, bytes, lookFor, record, pack, stop } of ledgers) {
    const costs = [bytes, median(lookFor), median(record)].map((cost) => cost.toFixed(1));
    if (pack.length > 0) costs.push(`${median(pack).toFixed(1)} µs`);
    console.log(
      `${size} | ${layout.name} | ${costs[0]} B | look ${costs[1]} µs | record ${costs[2]} µs | pack ${costs[3] ?? '-'}`,
    );
    await stop();
  }
}
