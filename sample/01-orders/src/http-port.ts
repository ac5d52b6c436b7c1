import { once } from 'node:events';
import { createServer } from 'node:net';

import { Logger } from '@nestjs/common';

const DEFAULT_PORT = 3000;
/** Has the system choose a free port. */
const ANY_PORT = 0;

/** The port of the environment variable `PORT`, or any other where that one is taken. */
export async function httpPort(): Promise<number> {
  const wanted = Number(process.env['PORT'] ?? DEFAULT_PORT);
  const server = createServer();
  try {
    await once(server.listen(wanted), 'listening');
  } catch (error) {
    Logger.warn(
      `Port ${wanted} cannot be used, another one is taken instead: ${String(error)}`,
      'Sample',
    );
    return ANY_PORT;
  }
  server.close();
  await once(server, 'close');
  return wanted;
}
