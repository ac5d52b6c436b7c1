import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

/** What a consumer is told to be. */
export interface Setup {
  readonly redisUrl: string;
  readonly stream: string;
  readonly group: string;
  /** Path of the file into which it writes its runs. */
  readonly journal: string;
  /** How long each handler takes, whatever the message says. */
  readonly workMs?: number;
  /** The server's options, as JSON has them. */
  readonly options: object;
}

/** Waits for the file of this process, for as long as whoever started it is there. */
export async function setupOfThisProcess(): Promise<Setup> {
  const parent = process.ppid;
  for (;;) {
    try {
      return JSON.parse(await readFile(process.env['SETUP'] ?? '', 'utf8')) as Setup;
    } catch {
      if (process.ppid !== parent) process.exit(1);
      await delay(10);
    }
  }
}
