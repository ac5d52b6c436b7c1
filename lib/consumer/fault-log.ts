import type { LoggerService } from '@nestjs/common';

/** Says a fault once, and not again before it was over or became another. */
export class FaultLog {
  private last: string | undefined;

  constructor(private readonly logger: LoggerService) {}

  say(text: string): void {
    if (text === this.last) return;
    this.last = text;
    this.logger.warn(text);
  }

  over(): void {
    this.last = undefined;
  }
}
