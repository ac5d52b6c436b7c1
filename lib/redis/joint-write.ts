import type { Redis } from 'ioredis';

/**
 * Makes one write of what a connection sends before the event loop goes on. Each command stays its own, as against a
 * pipeline: with its own answer, its own error, and nothing that waits for the others' answers.
 */
export class JointWrite {
  private held: Redis['stream'] | undefined;

  constructor(private readonly client: Redis) {}

  /** Holds back what is sent from now on, until the promises that are due have run. */
  begin(): void {
    const { stream } = this.client;
    // A connection that was just made anew has another socket; what the old one held is let go in its own time.
    if (this.held === stream) return;
    this.held = stream;
    stream.cork();
    process.nextTick(() => {
      if (this.held === stream) this.held = undefined;
      stream.uncork();
    });
  }
}
