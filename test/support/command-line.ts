import { spawn } from 'node:child_process';
import { join } from 'node:path';

import { executablePath } from '../../lib/testing/redis/process/local-redis.js';
import { compileCommonJs, compiledPackage } from './compiled-package.js';

/** A command's exit code and output. */
export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A running command. */
interface RunningCommand {
  /** Its output so far, of stdout and stderr; in a terminal both are one. */
  output(): string;
  write(text: string): void;
  endInput(text: string): void;
  kill(signal: NodeJS.Signals): void;
  readonly ended: Promise<CommandResult>;
}

/** The compiled `nest-streams`, run as a process. */
export interface CommandLine {
  /** Runs it to its end without a terminal. `input` is its stdin. */
  run(args: readonly string[], input?: string): Promise<CommandResult>;
  start(args: readonly string[]): RunningCommand;
  /** Runs it in a pseudo-terminal. */
  startInTerminal(args: readonly string[], columns?: number): RunningCommand;
  end(): Promise<void>;
}

const SCRIPT = process.platform === 'linux' ? await executablePath('script') : undefined;
/** Whether tests can run a command in a terminal: that needs `script` of util-linux. */
export const hasTerminal = SCRIPT !== undefined;

/** @param environment returns further environment variables for each command */
export async function commandLine(environment: () => Record<string, string>): Promise<CommandLine> {
  const compiled = await compiledPackage();
  await compileCommonJs(compiled);
  const main = join(compiled.root, 'dist/cjs/cli/main.js');
  const running = new Set<RunningCommand>();

  const start = (program: string, args: readonly string[]): RunningCommand => {
    const child = spawn(program, args, {
      env: { ...process.env, NO_COLOR: '1', ...environment() },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk));
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
    // The command may end before it has read all of its input.
    child.stdin.on('error', () => undefined);
    const command: RunningCommand = {
      output: () => stdout + stderr,
      write: (text) => void child.stdin.write(text),
      endInput: (text) => void child.stdin.end(text),
      kill: (signal) => void child.kill(signal),
      ended: new Promise((resolve) => {
        child.once('close', (code) => {
          running.delete(command);
          resolve({ code, stdout, stderr });
        });
      }),
    };
    running.add(command);
    return command;
  };
  const startNode = (args: readonly string[]): RunningCommand =>
    start(process.execPath, [main, ...args]);

  return {
    start: startNode,
    run: (args, input = '') => {
      const command = startNode(args);
      command.endInput(input);
      return command.ended;
    },
    startInTerminal: (args, columns = 80) => {
      const words = [process.execPath, main, ...args].map((word) => `'${word}'`).join(' ');
      return start(SCRIPT ?? 'script', [
        '-qec',
        `stty cols ${columns}; exec ${words}`,
        '/dev/null',
      ]);
    },
    end: async () => {
      for (const command of running) command.kill('SIGKILL');
      await Promise.all([...running].map(({ ended }) => ended));
    },
  };
}
