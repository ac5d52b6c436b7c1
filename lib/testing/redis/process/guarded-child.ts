import { spawn } from 'node:child_process';
import { Socket } from 'node:net';

/**
 * Exit hooks do not run where a process is killed, as Jest kills its workers. So the child begins as a shell that leaves
 * a guard behind and then becomes the program, under the same process ID. The guard reads a pipe from us: end of file
 * without a line means that we died, however that came about.
 */
const GUARD = `
  { read -r line <&3 || { kill -9 $$; [ -z "$1" ] || rm -rf -- "$1"; }; } >/dev/null 2>&1 &
  shift
  exec "$@" 3<&-
`;
const OUTPUT_LENGTH = 2_000;

/** A child process that ends with this one, also where this one is killed. */
export interface GuardedChild {
  readonly pid: number | undefined;
  /** Fulfilled when the child is gone and all that it wrote is there. */
  readonly gone: Promise<void>;
  isGone(): boolean;
  /** The end of what it wrote. */
  output(): string;
  kill(signal: NodeJS.Signals): void;
  /** Lets this process end while the child runs; until then it stays for the child. */
  unref(): void;
}

/** @param leftover Directory to remove where this process dies, if any. */
export function guardedChild(
  program: string,
  args: readonly string[],
  leftover: string | undefined,
): GuardedChild {
  const child = spawn('/bin/sh', ['-c', GUARD, 'guard', leftover ?? '', program, ...args], {
    // A process group of its own: Ctrl-C in a terminal is meant for the app, which needs its Redis to finish.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  const sockets = child.stdio.filter((stream) => stream instanceof Socket);
  let output = '';
  let isGone = false;
  for (const socket of sockets) {
    socket.on('error', () => undefined);
    socket
      .setEncoding('utf8')
      .on('data', (chunk: string) => (output = (output + chunk).slice(-OUTPUT_LENGTH)));
  }
  const gone = new Promise<void>((resolve) => {
    child.once('exit', () => {
      isGone = true;
      // A line sends the guard away: at the end of file it would kill a process ID that may be another's by now.
      sockets.at(-1)?.end('gone\n');
    });
    child.once('error', (error) => {
      isGone = true;
      output += error.message;
      resolve();
    });
    child.once('close', () => resolve());
  });
  return {
    pid: child.pid,
    gone,
    isGone: () => isGone,
    output: () => output,
    kill: (signal) => {
      child.ref();
      sockets.forEach((socket) => socket.ref());
      child.kill(signal);
    },
    unref: () => {
      child.unref();
      sockets.forEach((socket) => socket.unref());
    },
  };
}
