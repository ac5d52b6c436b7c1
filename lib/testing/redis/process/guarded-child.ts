import { spawn } from 'node:child_process';
import { Socket } from 'node:net';

/**
 * Exit hooks do not run if a process is killed, and Jest kills its workers. So the child begins as a shell that starts a guard
 * and then becomes the program, with the same process ID. The guard reads a pipe from us: an end of file without a line means
 * that we died.
 */
const GUARD = `
  { read -r line <&3 || { kill -9 $$; [ -z "$1" ] || rm -rf -- "$1"; }; } >/dev/null 2>&1 &
  shift
  exec "$@" 3<&-
`;
const OUTPUT_LENGTH = 2_000;

/** A child process that ends with this one, even if this one is killed. */
export interface GuardedChild {
  readonly pid: number | undefined;
  /** Resolves when the child has ended and all of its output has arrived. */
  readonly gone: Promise<void>;
  isGone(): boolean;
  /** The end of its output. */
  output(): string;
  kill(signal: NodeJS.Signals): void;
  /** Lets this process end while the child runs. */
  unref(): void;
}

/** @param leftover directory to remove if this process dies */
export function guardedChild(
  program: string,
  args: readonly string[],
  leftover: string | undefined,
): GuardedChild {
  const child = spawn('/bin/sh', ['-c', GUARD, 'guard', leftover ?? '', program, ...args], {
    // In its own process group it does not get Ctrl-C, which is meant for the app: the app needs its Redis to finish.
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
      // A line ends the guard: at an end of file it would kill a process ID that may belong to another process by now.
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
