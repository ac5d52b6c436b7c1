import type { RedisStreamsContext } from '../../lib/index.js';
import type { Body } from './payload.js';
import type { MemberWork } from './member.js';

/** One run of a message's handler. */
export interface Run extends Body {
  readonly attempt: number;
  /** The member that ran it. */
  readonly consumer: string;
  readonly signal: AbortSignal;
  readonly startedAt: number;
  endedAt: number | undefined;
  outcome: 'running' | 'succeeded' | 'threw';
}

/** What a handler of a behaviour does. */
export type Work = (run: Run, context: RedisStreamsContext) => unknown;

/** What ran in the members of a cell. */
export class Runs {
  /** In the order in which they began. */
  readonly all: Run[] = [];
  /** Messages with a successful run. */
  readonly handled = new Set<number>();
  /** Messages that ran. */
  readonly begun = new Set<number>();
  /** What the second handler got, if the mode has one. */
  readonly ofSecondHandler: number[] = [];
  /** What came on the second stream, if the mode has one. */
  readonly ofSecondStream: number[] = [];

  /** Those that ended without an error, in the order of their ends. */
  get succeeded(): Run[] {
    return this.all
      .filter(({ outcome }) => outcome === 'succeeded')
      .sort((a, b) => Number(a.endedAt) - Number(b.endedAt));
  }

  /** Those of one message. */
  of(n: number): Run[] {
    return this.all.filter((run) => run.n === n);
  }

  /** What a member does to have them recorded. */
  recording(work: Work): MemberWork {
    return {
      on: async (body, context) => {
        const run: Run = {
          n: body.n,
          key: body.key,
          attempt: context.getAttempt(),
          consumer: context.getConsumer(),
          signal: context.getSignal(),
          startedAt: performance.now(),
          endedAt: undefined,
          outcome: 'running',
        };
        this.all.push(run);
        this.begun.add(run.n);
        try {
          await work(run, context);
          run.outcome = 'succeeded';
          this.handled.add(run.n);
          return { n: body.n };
        } catch (error) {
          run.outcome = 'threw';
          throw error;
        } finally {
          run.endedAt = performance.now();
        }
      },
      onSecond: ({ n }) => void this.ofSecondHandler.push(n),
      onSecondStream: ({ n }) => void this.ofSecondStream.push(n),
    };
  }
}
