import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { RedisStartError } from '../redis-start.error.js';
import type { StartRedisOptions } from '../start-redis.options.js';
import type { RedisProcess, RestartOptions, StartedRedis } from '../started-redis.js';
import * as messages from '../testing.messages.js';
import { ServerRun } from './server-run.js';

const HOST = '127.0.0.1';
const STOP_WITHIN_MS = 5_000;

/** A Redis of this machine as our own child process, with all that has to go when it stops. */
export class LocalRedis implements StartedRedis, RedisProcess {
  readonly host = HOST;
  readonly process = this;
  private stopping: Promise<void> | undefined;

  private constructor(
    readonly source: 'binary' | 'apt',
    readonly dir: string,
    private readonly temporaryDir: string | undefined,
    private run: ServerRun,
  ) {}

  /** @throws {@link RedisStartError} when the program does not come to answer, or is too old. */
  static async start(
    binary: string,
    { args = [], port, dir }: StartRedisOptions,
    source: 'binary' | 'apt',
  ): Promise<LocalRedis> {
    const temporaryDir =
      dir === undefined ? await mkdtemp(join(tmpdir(), 'nestjs-redis-streams-')) : undefined;
    const place = dir ?? temporaryDir ?? '';
    try {
      const run = await ServerRun.start({
        binary,
        host: HOST,
        port,
        dir: place,
        temporaryDir,
        args,
      });
      return new LocalRedis(source, place, temporaryDir, run);
    } catch (error) {
      await removeDir(temporaryDir);
      throw error;
    }
  }

  get url(): string {
    return `redis://${this.host}:${this.port}`;
  }

  get port(): number {
    return this.run.port;
  }

  get pid(): number | undefined {
    return this.run.pid;
  }

  async kill(signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<void> {
    await this.run.end(signal, STOP_WITHIN_MS);
  }

  async restart(options: RestartOptions = {}): Promise<void> {
    await this.kill();
    if (this.stopping !== undefined) {
      throw new RedisStartError(messages.alreadyStopped());
    }
    this.run = await this.run.again(options.args);
  }

  stop(): Promise<void> {
    this.stopping ??= this.kill('SIGTERM').then(() => removeDir(this.temporaryDir));
    return this.stopping;
  }
}

async function removeDir(dir: string | undefined): Promise<void> {
  if (dir !== undefined) {
    await rm(dir, { recursive: true, force: true });
  }
}
