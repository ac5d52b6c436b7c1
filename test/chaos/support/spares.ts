import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { type ChildProgram, childProgram } from '../../support/child-program.js';
import { freshName } from '../../support/fresh-name.js';

/** A process that has loaded everything, and waits for a file with its setup. */
interface Spare {
  readonly program: ChildProgram;
  readonly setupPath: string;
}

/** How many to keep: loading Nest takes a second or two, and most scenarios need no more at a time. */
const KEPT = 3;

/** Processes in stock, so that scenarios need not wait for them to load. */
export class Spares {
  private readonly stock: Spare[] = [];

  constructor(
    private readonly programPath: string,
    private readonly folder: string,
  ) {}

  /** Gives a process its setup, and starts the next one. @param env asks for one that had it from its beginning */
  async take(setup: object, env?: NodeJS.ProcessEnv): Promise<ChildProgram> {
    const spare = (env === undefined ? this.stock.shift() : undefined) ?? this.start(env);
    this.fill();
    // The process looks for the file all the time: it must not find half of it.
    await writeFile(`${spare.setupPath}.part`, JSON.stringify(setup));
    await rename(`${spare.setupPath}.part`, spare.setupPath);
    return spare.program;
  }

  fill(): void {
    while (this.stock.length < KEPT) this.stock.push(this.start());
  }

  private start(env: NodeJS.ProcessEnv = {}): Spare {
    const setupPath = join(this.folder, freshName('setup'));
    return {
      program: childProgram(this.programPath, { env: { ...env, SETUP: setupPath } }),
      setupPath,
    };
  }
}
