import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

import { RedisStartError } from '../redis-start.error.js';
import * as messages from '../testing.messages.js';

/**
 * Below the range that the kernel picks outgoing ports from. In that range a client that keeps knocking while its server
 * is down can end up connected to itself, and then the server does not get its port back.
 */
const LOWEST = 20_000;
const HIGHEST = 30_000;
const ATTEMPTS = 50;

/** A port on 127.0.0.1 that is free now. Another process may take it before it is used. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const port = randomInt(LOWEST, HIGHEST);
    if (await isFree(port)) {
      return port;
    }
  }
  throw new RedisStartError(messages.noPortFound(ATTEMPTS));
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
