import type { WhenValid } from './payload-check.js';

/** What became of a turn: its sending, under way or refused. */
interface Turn {
  readonly result: Promise<unknown>;
}

/** Has messages of a stream wait for schemas that answer later, and for those before them, so that order holds. */
export class SendingOrder {
  /** The last turn of each stream in which something waits. */
  private readonly last = new Map<string, Promise<Turn>>();

  /** @param send called at once where nothing waits; never where the message is not valid */
  send<Result>(
    stream: string,
    whenValid: WhenValid | undefined,
    send: () => Promise<Result>,
  ): Promise<Result> {
    const before = this.last.get(stream);
    return whenValid === undefined && before === undefined
      ? send()
      : this.wait(stream, before, whenValid, send);
  }

  /** Fulfilled once nothing waits: all of it is being sent, or refused. */
  async sent(): Promise<void> {
    await Promise.all(this.last.values());
  }

  private async wait<Result>(
    stream: string,
    before: Promise<Turn> | undefined,
    whenValid: WhenValid | undefined,
    send: () => Promise<Result>,
  ): Promise<Result> {
    // In an object, so that the next one waits for the call, not for its answer.
    const turn = Promise.all([whenValid, before]).then(([error]) => ({
      result: error === undefined ? begun(send) : Promise.reject<Result>(error),
    }));
    this.last.set(stream, turn);
    const { result } = await turn;
    if (this.last.get(stream) === turn) this.last.delete(stream);
    return result;
  }
}

/** What it throws at once is its answer too. */
const begun = async <Result>(send: () => Promise<Result>): Promise<Result> => send();
