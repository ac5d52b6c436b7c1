import { once } from 'node:events';
import { createServer } from 'node:net';

import { Logger } from '@nestjs/common';

const DEFAULT_PORT = 3000;
/** Lets the system choose a free port. */
const ANY_PORT = 0;

/** The port from the environment variable `PORT`, or any free one if that port is taken. */
export async function httpPort(): Promise<number> {
  const wanted = Number(process.env['PORT'] ?? DEFAULT_PORT);
  const server = createServer();
  try {
    await once(server.listen(wanted), 'listening');
  } catch (error) {
    Logger.warn(
      `Port ${wanted} cannot be used, using a free one instead: ${String(error)}`,
      'Sample',
    );
    return ANY_PORT;
  }
  server.close();
  await once(server, 'close');
  return wanted;
}
