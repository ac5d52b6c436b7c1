import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { RedisStartError } from '../start-redis.errors.js';

/**
 * Below the range from which the kernel chooses outgoing ports. In that range a client that keeps connecting while its server
 * is down can end up connected to itself, and then the server cannot get its port back.
 */
const LOWEST = 20_000;
const HIGHEST = 30_000;
const ATTEMPTS = 50;

/** A port on 127.0.0.1 that is free now. Another process may take it before it is used. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const port = randomInt(LOWEST, HIGHEST);
    if (await isFree(port)) return port;
  }
  throw new RedisStartError(`no free port found in ${ATTEMPTS} attempts`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    await once(server.listen(port, '127.0.0.1'), 'listening');
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}
