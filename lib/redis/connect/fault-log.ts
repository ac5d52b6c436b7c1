import type { LoggerService } from '@nestjs/common';
import { errorText } from '../server/redis-errors.js';

/** What a repeated step in Redis reports to. */
export interface Faults {
  readonly onFault: (error: unknown) => void;
  readonly onWorking: () => void;
}

/** Logs a fault once, until it is over or becomes a different one. */
export class FaultLog {
  /** The current fault of each subject. A subject that works does not end the fault of another. */
  private readonly current = new Map<string, string>();

  constructor(private readonly logger: LoggerService) {}

  say(text: string, about: string): void {
    // If Redis is away, several subjects have the same fault.
    const isLogged = [...this.current.values()].includes(text);
    this.current.set(about, text);
    if (!isLogged) this.logger.warn(text);
  }

  over(about: string): void {
    this.current.delete(about);
  }

  /**
   * The faults of one subject.
   *
   * @param words makes the log text from an error's reason
   */
  of(about: string, words: (reason: string) => string): Faults {
    return {
      onFault: (error) => this.say(words(errorText(error)), about),
      onWorking: () => this.over(about),
    };
  }
}
