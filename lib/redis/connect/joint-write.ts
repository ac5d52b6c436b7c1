import type { Redis } from 'ioredis';
import { mastersOf } from './cluster-client.js';

/**
 * Makes one write of what a connection sends before the event loop goes on, in a cluster one for each node. Each command stays
 * its own, as against a pipeline: with its own answer, its own error, and nothing that waits for the others' answers.
 */
export class JointWrite {
  private readonly held = new Set<Redis['stream']>();

  constructor(private readonly client: Redis) {}

  /** Holds back what is sent from now on, until the promises that are due have run. */
  begin(): void {
    if (!this.client.isCluster) return this.hold(this.client.stream);
    for (const { status, stream } of mastersOf(this.client))
      if (status === 'ready') this.hold(stream);
  }

  private hold(stream: Redis['stream']): void {
    // A connection that was just made anew has another socket; what the old one held is let go in its own time.
    if (this.held.has(stream)) return;
    this.held.add(stream);
    stream.cork();
    process.nextTick(() => {
      this.held.delete(stream);
      stream.uncork();
    });
  }
}
