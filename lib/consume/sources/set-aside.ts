import type { LoggerService } from '@nestjs/common';
import { setTimeout as delay } from 'node:timers/promises';
import * as text from '../consumer.messages.js';
import type { FollowedStream } from '../followed-streams.js';
import type { Member } from '../member.js';
import type { Refusals } from '../refusals.js';
import { type Demand, within } from '../waiting.js';
import type { Groups } from './groups.js';
import type { Recovery } from './recovery.js';
import type { Resumption } from './resumption.js';

const FIRST_MS = 500;
/** How long a refused stream waits at most until it is tried again, in ms. */
const LONGEST_MS = 30_000;
const JITTER = 0.2;
/** How long a stream must work, at least, before the log says that it works again, in ms. */
const LEAST_WORKING_MS = 1_000;

/** The delay before a refused stream is tried for the `attempt`th time, in ms. */
const triedAgainMs = (attempt: number, random = Math.random()): number =>
  Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(attempt - 1, 10)) * (1 - JITTER * random);

/** Tries streams that Redis refuses again from time to time, and brings back those that work. Each is reported once. */
export class SetAsideStreams {
  private readonly stopping = new AbortController();
  private readonly tried = new Set<Promise<void>>();

  constructor(
    private readonly member: Member,
    private readonly refusals: Refusals,
    private readonly groups: Groups,
    private readonly resumption: Resumption,
    private readonly recovery: Recovery,
    private readonly demand: Demand,
    private readonly logger: LoggerService,
  ) {}

  start(): void {
    void this.follow();
  }

  /** Resolves once nothing more will be tried. */
  async stop(): Promise<void> {
    this.stopping.abort();
    this.refusals.end();
    await Promise.all(this.tried);
  }

  private async follow(): Promise<void> {
    while (!this.stopping.signal.aborted) {
      for (const followed of await this.refusals.next()) {
        const done: Promise<void> = this.tryUntilItWorks(followed)
          // It is stopped.
          .catch(() => undefined)
          .finally(() => this.tried.delete(done));
        this.tried.add(done);
      }
    }
  }

  private async tryUntilItWorks(followed: FollowedStream): Promise<void> {
    const { refusals, logger } = this;
    const { signal } = this.stopping;
    const { group } = this.member;
    let logged: string | undefined;
    for (let attempt = 1; ; attempt++) {
      const reason = await refusals.reasonOf(followed);
      signal.throwIfAborted();
      if (reason !== logged) logger.error(text.setAside(followed.name, group, reason));
      logged = reason;
      const delayMs = triedAgainMs(attempt);
      await delay(delayMs, undefined, { signal });
      const state = await this.stateOf(followed);
      if (state === 'gone') return refusals.forget(followed);
      if (state === 'refused') continue;
      const refusedAgain = refusals.tryAgain(followed);
      this.bringBack(followed);
      // It may still be refused something that no examination tries.
      if (await within(refusedAgain, Math.max(LEAST_WORKING_MS, delayMs))) continue;
      refusals.forget(followed);
      return logger.log(text.worksAgain(followed.name, group));
    }
  }

  private async stateOf(followed: FollowedStream): Promise<'works' | 'gone' | 'refused'> {
    try {
      if ((await this.refusals.examine(followed)) !== undefined) return 'refused';
      return (await this.groups.ensure(followed)) ? 'works' : 'gone';
    } catch {
      // Or Redis cannot be asked.
      return 'refused';
    }
  }

  /** What was pending comes before anything new. */
  private bringBack({ pipeline, partition, keys }: FollowedStream): void {
    if (pipeline === undefined) return;
    this.resumption.restart(pipeline);
    if (partition === undefined) this.recovery.include(pipeline);
    this.demand.raise(keys.stream);
  }
}
