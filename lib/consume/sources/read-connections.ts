import type { Redis } from 'ioredis';
import { clusterOf, nodeOf } from '../../redis/connect/cluster-client.js';
import { type Connection, whenReady } from '../../redis/connect/connection.js';
import { SlotRedis } from '../../redis/connect/slot-connection.js';

/** What streams that can be read together are read with. */
export class ReadConnections {
  constructor(
    private readonly main: Connection,
    private readonly own: Connection,
    /** Ends the connection that blocks, whatever it waits for: it is not needed any more. */
    readonly drop: () => void,
  ) {}

  get commands(): Redis {
    return this.main.client;
  }

  get blocking(): Redis {
    return this.own.client;
  }

  /** Ends what the connection that blocks waits for, where it can be reached: it has to be asked of the same server. */
  async unblock(clientId: number): Promise<void> {
    const cluster = clusterOf(this.commands);
    const { blocking } = this;
    const key = blocking instanceof SlotRedis ? blocking.nodeKey : undefined;
    const server =
      cluster === undefined || key === undefined ? this.commands : nodeOf(cluster, key);
    if (server === undefined || !['ready', 'wait'].includes(server.status)) return;
    await server.client('UNBLOCK', clientId).catch(() => undefined);
  }

  /** @throws the signal's reason where that comes first */
  async ready(signal: AbortSignal): Promise<void> {
    await Promise.all([whenReady(this.main, signal), whenReady(this.own, signal)]);
  }
}
