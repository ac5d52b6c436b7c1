import type { LoggerService } from '@nestjs/common';
import { clockMoved } from './consumer.messages.js';
import type { Heartbeat } from './heartbeat.js';
import type { Recovery } from './sources/recovery.js';

/** Streams of several nodes or slots may show the same move one after the other. */
const SAME_MOVE_MS = 10_000;

/** What to do when Redis's clock was moved. */
export class MovedClock {
  private last: { readonly isBack: boolean; readonly at: number } | undefined;

  constructor(
    private readonly heartbeat: Heartbeat,
    private readonly recovery: Recovery,
    private readonly logger: LoggerService,
  ) {}

  /** @param movedMs negative if it was moved back */
  noticed(movedMs: number): void {
    const { last } = this;
    const isBack = movedMs < 0;
    const at = performance.now();
    this.last = { isBack, at };
    if (last === undefined || last.isBack !== isBack || at - last.at > SAME_MOVE_MS) {
      this.logger.warn(clockMoved(movedMs));
    }
    // What is ours gets its times by the clock as it is now.
    this.heartbeat.renewAll();
    this.recovery.clockMoved(isBack);
  }
}
