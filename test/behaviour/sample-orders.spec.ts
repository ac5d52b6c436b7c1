import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';

import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';

import { childProgram, endChildPrograms, type ChildProgram } from '../support/child-program.js';
import { compiledPackage, type CompiledPackage } from '../support/compiled-package.js';
import { ownRedis } from '../support/own-redis.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { waitFor } from '../support/wait-for.js';

const describeWithProcess = (await ownRedis()) === 'process' ? describe : describe.skip;

let compiled: CompiledPackage;
let main = '';

beforeAll(async () => {
  compiled = await compiledPackage('sample/01-orders/src');
  main = compiled.program('sample/01-orders/src/main.ts');
});
afterEach(endChildPrograms);

describe('sample 01-orders', () => {
  const redis = redisForTests();

  it('has both services handle what it publishes itself and what is posted, and ends cleanly on Ctrl-C', async () => {
    const program = childProgram(main, { env: { REDIS_URL: redis.url, PORT: '0' } });
    const url = await ordersUrl(program);
    await waitFor(() => count(program, / billed /g) === 3 && count(program, / shipped /g) === 3);

    const id = await post(url, { item: 'saucer', quantity: 6 });
    await waitFor(() => count(program, new RegExp(`saucer billed .order ${id}`, 'g')) === 1);
    await waitFor(() => count(program, new RegExp(`saucer shipped .order ${id}`, 'g')) === 1);

    program.kill('SIGINT');
    expect(await program.ended).toBe(0);
    expect(program.output()).toContain('Closed');
    expect(program.output()).not.toMatch(/\b(WARN|ERROR)\b/);
    for (const group of ['billing', 'shipping']) {
      expect(await redis.client.xpending('orders', group)).toMatchObject([0, null, null, null]);
    }
  });

  it('refuses an invalid order', async () => {
    const program = childProgram(main, { env: { REDIS_URL: redis.url, PORT: '0' } });
    const url = await ordersUrl(program);
    await expect(post(url, { item: '' })).rejects.toThrow('400');
    program.kill('SIGTERM');
    expect(await program.ended).toBe(0);
  });
});

describeWithProcess('sample 01-orders without REDIS_URL', () => {
  it('starts a Redis of its own, takes a free port, and leaves nothing', async () => {
    const other = createServer().listen(0);
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const program = childProgram(main, {
      env: { REDIS_URL: undefined, PORT: String(port) },
      ownGroup: true,
    });
    expect(new URL(await ordersUrl(program)).port).not.toBe(String(port));
    expect(program.output()).toContain(`Port ${port} cannot be used`);
    await waitFor(() => count(program, / shipped /g) === 3);

    const [, redisPort] = await waitFor(() => /Redis on 127\.0\.0\.1:(\d+)/.exec(program.output()));
    // As with `npm start`: the terminal signals the whole group, and then npm signals its child again.
    process.kill(-program.pid, 'SIGINT');
    program.kill('SIGINT');
    expect(await program.ended).toBe(0);
    expect(await isTaken(Number(redisPort))).toBe(false);
    other.close();
  });
});

async function ordersUrl(program: ChildProgram): Promise<string> {
  const [, url = ''] = await waitFor(() => /curl -X POST (\S+)/.exec(program.output()), {
    description: 'the sample is ready',
  });
  return url;
}

function count(program: ChildProgram, what: RegExp): number {
  return program.output().match(what)?.length ?? 0;
}

async function post(url: string, order: object): Promise<string> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(order),
  });
  if (response.status !== 202) {
    throw new Error(`${response.status}: ${await response.text()}`);
  }
  const { id }: { id?: unknown } = Object(await response.json());
  return String(id);
}

async function isTaken(port: number): Promise<boolean> {
  const server = createServer();
  const free = await once(server.listen(port, '127.0.0.1'), 'listening').then(
    () => true,
    () => false,
  );
  server.close();
  return !free;
}
