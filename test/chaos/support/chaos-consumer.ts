import type { RedisStreamsModuleOptions } from '../../../lib/index.js';
import type { ChildProgram } from '../../support/child-program.js';
import { waitFor } from '../../support/wait-for.js';
import type { CommandProxy } from './command-proxy.js';
import type { Journal, Run } from './journal.js';
import type { Spares } from './spares.js';

/** How long a lease lasts, and how long what a dead consumer left stays idle. The shortest that the options allow. */
export const LEASE_MS = 1_000;

/** How a consumer differs from a healthy one. */
export interface ConsumerSetup {
  /** How long each handler takes here, whatever the message says. */
  readonly workMs?: number;
  /** The offset of its host's clock. */
  readonly clockOffsetMs?: number;
  readonly options?: Partial<RedisStreamsModuleOptions>;
}

/** What is needed to start a consumer. */
export interface ConsumerParts {
  readonly spares: Spares;
  readonly stream: string;
  readonly group: string;
  readonly journal: Journal;
  readonly proxy: CommandProxy;
}

/** A member of the group as a separate process, with its own connection to Redis. */
export class ChaosConsumer {
  private constructor(
    private readonly program: ChildProgram,
    readonly proxy: CommandProxy,
    private readonly journal: Journal,
  ) {}

  static async start(parts: ConsumerParts, setup: ConsumerSetup): Promise<ChaosConsumer> {
    const { spares, stream, group, journal, proxy } = parts;
    const { workMs, clockOffsetMs, options } = setup;
    const program = await spares.take(
      {
        redisUrl: proxy.url,
        stream,
        group,
        journal: journal.path,
        workMs,
        options: { recovery: { minIdleMs: LEASE_MS, intervalMs: 200 }, ...options },
      },
      clockOffsetMs === undefined ? undefined : { CLOCK_OFFSET_MS: String(clockOffsetMs) },
    );
    return new ChaosConsumer(program, proxy, journal);
  }

  get pid(): number {
    return this.program.pid;
  }

  /** Its exit code, or the signal that ended it. */
  get ended(): Promise<number | NodeJS.Signals> {
    return this.program.ended;
  }

  /** Everything that it has printed so far. */
  get output(): string {
    return this.program.output();
  }

  /** Resolves once it reads. */
  async ready(): Promise<this> {
    const reads = waitFor(() => this.output.includes('ready,'), { timeoutMs: 30_000 });
    await Promise.race([reads, this.ended]);
    if (!this.output.includes('ready,')) throw new Error(`a consumer did not start`);
    return this;
  }

  /** Kills it, like a power cut. */
  async kill(): Promise<void> {
    this.program.kill('SIGKILL');
    await this.ended;
  }

  /** Ends it, like a deploy. */
  async close(): Promise<number | NodeJS.Signals> {
    this.program.kill('SIGTERM');
    return this.ended;
  }

  /** Stops it at its current instruction. */
  freeze(): void {
    this.program.kill('SIGSTOP');
  }

  thaw(): void {
    this.program.kill('SIGCONT');
  }

  /** Corrects its host's clock. */
  setClockRight(): void {
    this.program.kill('SIGWINCH');
  }

  /** The runs that it started. */
  async runs(): Promise<Run[]> {
    return (await this.journal.runs()).filter(({ pid }) => pid === this.pid);
  }

  /** Of these, the ones that did not end. */
  async unfinished(): Promise<Run[]> {
    return (await this.runs()).filter(({ outcome }) => outcome === undefined);
  }
}
