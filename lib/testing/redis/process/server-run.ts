import { RedisStartError } from '../redis-start.error.js';
import { requireUsable } from '../redis-version.js';
import * as messages from '../testing.messages.js';
import { freePort } from './free-port.js';
import { guardedChild, type GuardedChild } from './guarded-child.js';
import { answerOf } from './redis-probe.js';

/** What a run of the server program is made of. */
export interface ServerRunOptions {
  readonly binary: string;
  readonly host: string;
  /** A free one is taken where it is not given. */
  readonly port: number | undefined;
  readonly dir: string;
  /** The same directory, where it has to go if this process dies. */
  readonly temporaryDir: string | undefined;
  readonly args: readonly string[];
}

const ATTEMPTS = 10;
const READY_WITHIN_MS = 20_000;

/** One run of a server program, from its start until it is gone. */
export class ServerRun {
  private constructor(
    private readonly options: ServerRunOptions,
    readonly port: number,
    private readonly child: GuardedChild,
  ) {}

  /**
   * Starts the program and waits until it answers.
   *
   * @throws {@link RedisStartError} when it does not, or is too old.
   */
  static async start(options: ServerRunOptions): Promise<ServerRun> {
    for (let attempt = 1; ; attempt++) {
      const run = ServerRun.begin(options, options.port ?? (await freePort()));
      try {
        await run.ready();
        return run;
      } catch (error) {
        await run.end('SIGKILL', 0);
        // Between the look for a free port and its use, another process that does the same may have taken it.
        if (
          options.port !== undefined ||
          attempt === ATTEMPTS ||
          !/address already in use/i.test(run.child.output())
        ) {
          throw error;
        }
      }
    }
  }

  /** Starts the program once more, on the same port. */
  again(args: readonly string[] | undefined): Promise<ServerRun> {
    return ServerRun.start({ ...this.options, port: this.port, args: args ?? this.options.args });
  }

  get pid(): number | undefined {
    return this.child.isGone() ? undefined : this.child.pid;
  }

  /** Ends the program with this signal, or the hard way where that takes longer than `withinMs`. */
  async end(signal: 'SIGKILL' | 'SIGTERM', withinMs: number): Promise<void> {
    const hard = setTimeout(() => this.child.kill('SIGKILL'), withinMs);
    this.child.kill(signal);
    await this.child.gone;
    clearTimeout(hard);
  }

  private static begin(options: ServerRunOptions, port: number): ServerRun {
    const { binary, host, dir, temporaryDir, args } = options;
    const own = [
      '--port',
      String(port),
      '--bind',
      host,
      '--dir',
      dir,
      '--save',
      '',
      '--appendonly',
      'no',
    ];
    return new ServerRun(options, port, guardedChild(binary, [...own, ...args], temporaryDir));
  }

  private async ready(): Promise<void> {
    const { binary, host } = this.options;
    const answer = await answerOf({ host, port: this.port }, READY_WITHIN_MS, {
      giveUp: () => this.child.isGone(),
      // Where another process was faster, its server answers here while ours is about to fail.
      accept: ({ processId }) => processId === undefined || processId === this.child.pid,
    });
    if (answer === undefined) {
      const early = this.child.isGone();
      await this.end('SIGKILL', 0);
      const output = this.child.output();
      throw new RedisStartError(
        early
          ? messages.exitedEarly(binary, output)
          : messages.noAnswer(binary, READY_WITHIN_MS, output),
      );
    }
    requireUsable(answer.version);
    this.child.unref();
  }
}
