import type { Redis } from 'ioredis';
import { mastersOf } from './cluster-client.js';

/**
 * Writes the commands of one turn of the event loop to the socket together; in a cluster, to each node's socket. Unlike a
 * pipeline, every command keeps its own answer and error, and waits for no other.
 */
export class JointWrite {
  private readonly corked = new Set<Redis['stream']>();

  constructor(private readonly client: Redis) {}

  /** Holds back commands from now until all pending promise callbacks have run. */
  begin(): void {
    if (!this.client.isCluster) return this.cork(this.client.stream);
    for (const { status, stream } of mastersOf(this.client))
      if (status === 'ready') this.cork(stream);
  }

  private cork(socket: Redis['stream']): void {
    // After a reconnect there is another socket. The old one is uncorked in its own tick.
    if (this.corked.has(socket)) return;
    this.corked.add(socket);
    socket.cork();
    process.nextTick(() => {
      this.corked.delete(socket);
      socket.uncork();
    });
  }
}
