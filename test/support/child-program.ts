import { spawn } from 'node:child_process';

/** A Node program as a separate process. */
export interface ChildProgram {
  readonly pid: number;
  /** Everything that it has written so far, to stdout and stderr. */
  output(): string;
  kill(signal: NodeJS.Signals): void;
  /** Its exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
}

const running = new Set<ChildProgram>();

/** How a program is run. */
export interface ChildProgramOptions {
  /** Variables in addition to those of this process; `undefined` removes one. */
  readonly env?: NodeJS.ProcessEnv;
  /**
   * Whether it gets a process group of its own, so that `process.kill(-pid)` reaches it as Ctrl-C in a
   * terminal does.
   */
  readonly ownGroup?: boolean;
}

/** Runs a compiled program. */
export function childProgram(
  path: string,
  { env = {}, ownGroup = false }: ChildProgramOptions = {},
): ChildProgram {
  const child = spawn(process.execPath, [path], {
    env: { ...process.env, NO_COLOR: '1', ...env },
    detached: ownGroup,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => (output += chunk));
  }
  if (child.pid === undefined) {
    throw new Error(`${process.execPath} cannot be run`);
  }
  const program: ChildProgram = {
    pid: child.pid,
    output: () => output,
    kill: (signal) => void child.kill(signal),
    ended: new Promise((resolve) => {
      child.once('close', (code, signal) => {
        running.delete(program);
        resolve(code ?? signal ?? 'SIGKILL');
      });
    }),
  };
  running.add(program);
  return program;
}

/** For `afterEach`: kills what a failed test left running. */
export async function endChildPrograms(): Promise<void> {
  await Promise.all(
    [...running].map((program) => {
      program.kill('SIGKILL');
      return program.ended;
    }),
  );
}
