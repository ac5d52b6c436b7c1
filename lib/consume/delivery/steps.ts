import { retryUntilDone } from '../../redis/connect/retry-until-done.js';
import { isAboutStream, isRefusal } from '../../redis/server/redis-errors.js';
import type { Message, UnreadableEntry } from '../message.js';
import type { StepFaults } from '../report.js';

/** What a step is about. If Redis refuses it for good, its `refusal` says so. */
export type StepItem = Message | UnreadableEntry;

/** What a step does if its stream is refused. */
export type Patience = 'waits' | 'waits to the end' | 'never waits';

/** Whether Redis refuses a stream, as its steps see and report it. */
export interface Standing {
  /** Redis refused something that concerns the whole stream. */
  note(error: unknown): void;
  /** Resolves once the stream is worth trying again; to `false` if it will not be tried any more. */
  untilTried(): Promise<boolean>;
}

/**
 * Repeats each step of a stream's messages until Redis takes it or the connections are closed. If Redis refuses a step because of
 * the stream, the step waits until the stream is tried again. If it does so because of a message, the step is done without
 * that one, which is found by halves.
 */
export class Steps {
  private isEnding = false;
  private endWaits: () => void = () => undefined;
  private readonly ended = new Promise<false>((resolve) => {
    this.endWaits = () => resolve(false);
  });
  /** The items of steps that wait until their stream works again. */
  private readonly waiting = new Set<readonly StepItem[]>();

  constructor(
    private readonly faults: StepFaults,
    private readonly standing: Standing,
    /** Ends all attempts to reach Redis. */
    private readonly signal: AbortSignal,
  ) {}

  /** The messages of steps that a refused stream holds up. */
  get heldUp(): readonly Message[] {
    return [...this.waiting].flat().filter((item) => 'attempt' in item);
  }

  /** What is refused from now on is given up: it stays pending. */
  end(): void {
    this.isEnding = true;
    this.endWaits();
  }

  /**
   * @param what as the log calls it
   * @param send does the step for some of the items
   * @param patience what to do if the stream is refused: wait until it works or everything ends, the same but then count it as
   *   a refusal of the message, or do so at once
   * @returns the answer, of several parts as one list. Undefined if nothing is known: it stays pending. Whatever was refused says so
   */
  async take<Item extends StepItem, Answer>(
    what: string,
    items: readonly Item[],
    send: (some: readonly Item[]) => Promise<Answer>,
    patience: Patience = 'waits',
  ): Promise<Answer | undefined> {
    for (;;) {
      try {
        const answer = await retryUntilDone(
          () => send(items),
          this.signal,
          (error) => this.faults.failed(what, error),
        );
        this.faults.worked(what);
        return answer;
      } catch (error) {
        if (!isRefusal(error)) return undefined;
        const isOfStream = isAboutStream(error) && patience !== 'never waits';
        if (isOfStream && (await this.untilTried(items, error))) continue;
        if (isOfStream && patience === 'waits') return undefined;
        return this.takeApart(what, items, send, patience, error);
      }
    }
  }

  private async takeApart<Item extends StepItem, Answer>(
    what: string,
    items: readonly Item[],
    send: (some: readonly Item[]) => Promise<Answer>,
    patience: Patience,
    refusal: Error,
  ): Promise<Answer | undefined> {
    const [only, ...others] = items;
    if (only !== undefined && others.length === 0) only.refusal = refusal;
    if (others.length === 0) return undefined;
    const middle = items.length >> 1;
    const answers: unknown[] = [];
    for (const half of [items.slice(0, middle), items.slice(middle)]) {
      const answer: unknown = await this.take(what, half, send, patience);
      for (const at of half.keys()) answers.push(Array.isArray(answer) ? answer[at] : answer);
    }
    return answers as Answer;
  }

  private async untilTried(items: readonly StepItem[], error: unknown): Promise<boolean> {
    if (this.isEnding) return false;
    this.standing.note(error);
    this.waiting.add(items);
    const isTried = await Promise.race([this.standing.untilTried(), this.ended]);
    this.waiting.delete(items);
    return isTried;
  }
}
