import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

/** The setup of a consumer. */
export interface Setup {
  readonly redisUrl: string;
  readonly stream: string;
  readonly group: string;
  /** Path of the file into which it writes its runs. */
  readonly journal: string;
  /** How long each handler takes, whatever the message says. */
  readonly workMs?: number;
  /** The server's options as JSON. */
  readonly options: object;
}

/** Waits for this process's file, as long as its parent is alive. */
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
