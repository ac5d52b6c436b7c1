import 'reflect-metadata';
import { setTimeout as delay } from 'node:timers/promises';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern } from '@nestjs/microservices';
import type { Redis } from 'ioredis';
import { ClientRedisStreams, ServerRedisStreams, subscription } from 'nestjs-redis-streams';
import { firstValueFrom } from 'rxjs';

import { figureOf } from './info.js';
import { GROUP, payloadOf, STREAM } from './message.js';

/** What one message costs. */
interface Cost {
  readonly toRedis: number;
  readonly fromRedis: number;
  /** Replicas receive the same, except for a few bytes. */
  readonly toFile: number;
  readonly cpuUs: number;
}

interface Traffic {
  readonly name: string;
  readonly run: (client: Redis, url: string, count: number) => Promise<Cost>;
}

async function totals(client: Redis): Promise<Cost> {
  const toRedis = await figureOf(client, 'stats', 'total_net_input_bytes');
  const fromRedis = await figureOf(client, 'stats', 'total_net_output_bytes');
  const toFile = await figureOf(client, 'persistence', 'aof_current_size');
  const user = await figureOf(client, 'cpu', 'used_cpu_user');
  return { toRedis, fromRedis, toFile, cpuUs: (user + (await sysOf(client))) * 1e6 };
}

const sysOf = (client: Redis): Promise<number> => figureOf(client, 'cpu', 'used_cpu_sys');

async function costOf(client: Redis, count: number, work: () => Promise<void>): Promise<Cost> {
  const before = await totals(client);
  await work();
  const after = await totals(client);
  const cost = (of: (total: Cost) => number): number => (of(after) - of(before)) / count;
  return {
    toRedis: cost(({ toRedis }) => toRedis),
    fromRedis: cost(({ fromRedis }) => fromRedis),
    toFile: cost(({ toFile }) => toFile),
    cpuUs: cost(({ cpuUs }) => cpuUs),
  };
}

/** Publishes all with a separate client. */
const publishing =
  (
    publishDedup: false | undefined,
    atOnce: number,
    send: (client: ClientRedisStreams, from: number, to: number) => Promise<unknown>,
  ): Traffic['run'] =>
  async (client, url, most) => {
    // One round trip after the other is slow.
    const count = atOnce === 1 ? most / 10 : most;
    const ours = new ClientRedisStreams({
      connection: url,
      ...(publishDedup === undefined ? {} : { publishDedup }),
    });
    await ours.connect();
    try {
      return await costOf(client, count, async () => {
        for (let n = 0; n < count; n += atOnce) await send(ours, n, Math.min(count, n + atOnce));
      });
    } finally {
      await ours.close();
    }
  };

const numbers = (from: number, to: number): number[] =>
  Array.from({ length: to - from }, (_, n) => from + n);
const singly = (client: ClientRedisStreams, from: number, to: number): Promise<unknown> =>
  Promise.all(numbers(from, to).map((n) => firstValueFrom(client.emit(STREAM, payloadOf(n)))));
const batch = (client: ClientRedisStreams, from: number, to: number): Promise<unknown> =>
  firstValueFrom(client.emitBatch(STREAM, numbers(from, to).map(payloadOf)));

/** Handles everything in the stream, with a new group each time. */
const handling =
  (options: Parameters<typeof subscription>[0]): Traffic['run'] =>
  async (client, url) => {
    const length = await client.xlen(STREAM);
    let handled = 0;
    let allHandled = (): void => undefined;
    const all = new Promise<void>((resolve) => {
      allHandled = resolve;
    });
    @Controller()
    class Orders {
      @EventPattern<string>(STREAM, subscription({ startFrom: 'beginning', ...options }))
      on(): void {
        if (++handled === length) allHandled();
      }
    }
    @Module({ controllers: [Orders] })
    class Service {}
    const group = `${GROUP}-${Object.keys(options ?? {}).length}`;
    const app = await NestFactory.createMicroservice(Service, {
      strategy: new ServerRedisStreams({ connection: url, group }),
      logger: ['error'],
    });
    const cost = await costOf(client, length, async () => {
      await app.listen();
      await all;
      while (await isPending(client, group)) await delay(20);
    });
    await app.close();
    return cost;
  };

async function isPending(client: Redis, group: string): Promise<boolean> {
  const [count] = await client.xpending(STREAM, group);
  return count !== 0;
}

export const TRAFFIC: readonly Traffic[] = [
  { name: 'emit(), 100 at a time', run: publishing(undefined, 100, singly) },
  { name: 'emit(), one at a time', run: publishing(undefined, 1, singly) },
  { name: 'emit(), 100, publishDedup: false', run: publishing(false, 100, singly) },
  { name: 'emitBatch(), 1 000', run: publishing(undefined, 1_000, batch) },
  { name: 'handled, at least once', run: handling({}) },
  { name: 'handled, dedup: false', run: handling({ dedup: false }) },
];
