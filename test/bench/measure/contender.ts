import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';

import type { Task, TaskResult } from './task.js';

/** One side of a comparison: a process that does the same task again and again. */
export class Contender {
  private constructor(private readonly child: ChildProcess) {}

  /** @param worker the name of a file in `workers/`, or the path of a program that serves tasks as those do */
  static start(worker: string | URL): Contender {
    const program =
      worker instanceof URL ? worker : new URL(`../workers/${worker}.js`, import.meta.url);
    return new Contender(fork(program));
  }

  async run(task: Task): Promise<readonly number[]> {
    const ended = new AbortController();
    const { signal } = ended;
    try {
      this.child.send(task);
      const result = await Promise.race([
        once(this.child, 'message', { signal }).then(([answer]) => answer as TaskResult),
        once(this.child, 'exit', { signal }).then(([code]) => ({ failed: `it ended: ${code}` })),
      ]);
      if ('failed' in result) throw new Error(`A worker failed: ${result.failed}`);
      return result.measured;
    } finally {
      ended.abort();
    }
  }

  async end(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exited = once(this.child, 'exit');
    this.child.disconnect();
    await exited;
  }
}
