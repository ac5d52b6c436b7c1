import type { LoggerService } from '@nestjs/common';
import { errorText } from '../server/redis-errors.js';

/** Says a fault once, and not again before it was over or became another. */
export class FaultLog {
  /** By what it is about: one thing that works is no end of another's fault. */
  private readonly last = new Map<string, string>();

  constructor(private readonly logger: LoggerService) {}

  say(text: string, about: string): void {
    // Where Redis is away, many things fail alike.
    const isSaid = [...this.last.values()].includes(text);
    this.last.set(about, text);
    if (!isSaid) this.logger.warn(text);
  }

  over(about: string): void {
    this.last.delete(about);
  }

  /** The faults of one thing, in words of its own. */
  of(about: string, words: (reason: string) => string): Faults {
    return {
      onFault: (error) => this.say(words(errorText(error)), about),
      onWorking: () => this.over(about),
    };
  }
}

/** The faults of one thing. */
export interface Faults {
  readonly onFault: (error: unknown) => void;
  readonly onWorking: () => void;
}
