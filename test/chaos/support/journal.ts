import { readFile, writeFile } from 'node:fs/promises';

/** A run of a handler, as the process that made it recorded it. */
export interface Run {
  readonly pid: number;
  readonly messageId: string;
  readonly entryId: string;
  readonly attempt: number;
  /** The payload of the message, as text. */
  readonly payload: string;
  /** By the clock that all processes of this machine share, in ms. */
  readonly startedAt: number;
  endedAt?: number;
  /** How it ended; undefined if it did not. */
  outcome?: 'handled' | 'failed';
}

/** The file into which consumers write their runs: it survives them. */
export class Journal {
  constructor(readonly path: string) {}

  async create(): Promise<void> {
    await writeFile(this.path, '');
  }

  /** All runs so far, in the order of their starts. */
  async runs(): Promise<Run[]> {
    const runs = new Map<string, Run>();
    const lines = (await readFile(this.path, 'utf8')).split('\n');
    // What follows the last line break is not a whole line yet.
    for (const line of lines.slice(0, -1)) {
      const [pid, run, what, messageId = '', entryId = '', attempt, at, payload = ''] =
        line.split('\t');
      const atMs = Number(at) / 1e6;
      const key = `${pid} ${run}`;
      if (what === 'start') {
        const of = { pid: Number(pid), messageId, entryId, attempt: Number(attempt) };
        runs.set(key, { ...of, payload, startedAt: atMs });
        continue;
      }
      const begun = runs.get(key);
      if (begun === undefined) throw new Error(`a run that did not begin has ended: ${line}`);
      begun.endedAt = atMs;
      begun.outcome = what === 'handled' ? 'handled' : 'failed';
    }
    return [...runs.values()];
  }
}

/** Now, by the clock of the journal, in ms. */
export const sharedNowMs = (): number => Number(process.hrtime.bigint()) / 1e6;
