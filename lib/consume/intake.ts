import { localNow } from '../redis/server/clocks.js';
import { retryUntilDone } from '../redis/connect/retry-until-done.js';
import type { Reserver } from './reserver.js';
import type { Reservation } from '../redis/scripts/reserve/reserve.script.js';
import type { StreamMessage } from './stream-message.js';

export interface IntakeParts {
  readonly reserver: Pick<Reserver, 'reserve'>;
  /** Ends its attempts to reach Redis. */
  readonly signal: AbortSignal;
  readonly onFault: (what: string, error: unknown) => void;
  readonly onDone: (what: string) => void;
  /** Told before something is sent that other things may go along with. */
  readonly onSending: () => void;
  /** Given each message with its answer; `undefined` where it was closed before there was one. */
  readonly onAnswers: (
    messages: readonly StreamMessage[],
    answers: readonly Reservation[] | undefined,
  ) => void;
}

/** Has batches reserved, one after the other, so that messages stay in their order. */
export class Intake {
  private count = 0;
  private last = Promise.resolve();

  constructor(private readonly parts: IntakeParts) {}

  /** How many messages wait for their answer. */
  get entering(): number {
    return this.count;
  }

  add(messages: readonly StreamMessage[]): void {
    this.count += messages.length;
    this.last = this.last.then(() => this.reserve(messages));
  }

  /** Fulfilled once everything has its answer. */
  async done(): Promise<void> {
    await this.last;
  }

  private async reserve(messages: readonly StreamMessage[]): Promise<void> {
    const { reserver, signal, onFault, onDone, onSending, onAnswers } = this.parts;
    onSending();
    const sentAt = localNow();
    let answers: readonly Reservation[] | undefined;
    try {
      answers = await retryUntilDone(
        () => reserver.reserve(messages),
        signal,
        (error) => onFault('reserve', error),
      );
      onDone('reserve');
    } catch {
      // Closed meanwhile: they are pending, and another run of this consumer or its group will have them.
    }
    this.count -= messages.length;
    messages.forEach((message, index) => {
      message.leasedAt = sentAt;
      message.attempt = answers?.[index]?.attempt ?? 1;
      message.alone = answers?.[index]?.alone ?? false;
    });
    onAnswers(messages, answers);
  }
}
