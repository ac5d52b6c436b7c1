import type { Cluster, RedisOptions } from 'ioredis';
import { setTimeout as delay } from 'node:timers/promises';
import type { ConnectionOption, LegacyOptions } from '../../options/connection-option.js';
import { hashSlot } from '../../wire/hash-tags.js';
import { isMoved } from '../server/redis-errors.js';
import { asClient, masterKeyOf, refreshSlots } from './cluster-client.js';
import { type Connection, ownConnection, whenReady } from './connection.js';
import { type CredentialsSource, RedisWithCredentials } from './credentials.js';
import { addedOptions, defaultOptions, neededOptions, OWN_OPTIONS } from './make-client.js';
import { reconnectDelayMs } from './retry-until-done.js';

/**
 * A connection for blocking reads, to the node that serves the slot of `key`. ioredis sends all commands for a node over one
 * connection, and none of them may wait behind a read.
 *
 * @param option the user's option that `cluster` was made from
 * @param name shown by `CLIENT LIST`
 * @param blockMs how long its commands wait in Redis
 */
export function slotConnection(
  option: ConnectionOption,
  cluster: Cluster,
  key: string,
  name: string,
  blockMs: number,
): Connection {
  // Every slot's connection listens to the cluster. Beyond ten listeners, Node would warn of a leak.
  cluster.setMaxListeners(0);
  const options = {
    ...defaultOptions(true),
    ...cluster.options.redisOptions,
    ...OWN_OPTIONS,
    ...neededOptions('blocking', name),
  };
  const { credentials } = addedOptions(option);
  const client = new SlotRedis(cluster, hashSlot(key), options, credentials);
  return ownConnection(client, option, blockMs);
}

/** A connection to the node that serves a slot. It follows the slot when that moves. */
export class SlotRedis extends RedisWithCredentials {
  private node: string | undefined;

  constructor(
    private readonly wholeCluster: Cluster,
    private readonly slot: number,
    options: LegacyOptions,
    credentials: CredentialsSource | undefined,
  ) {
    super(undefined, options, credentials);
    const { reconnectOnError } = this.options;
    this.options.reconnectOnError = (error) =>
      isMoved(error) || (reconnectOnError?.(error) ?? false);
    wholeCluster.on('refresh', this.followSlot);
    this.on('end', () => wholeCluster.off('refresh', this.followSlot));
  }

  /** The node that it is connected or connecting to, in the cluster's own form: `host:port`. */
  get nodeKey(): string | undefined {
    return this.node;
  }

  protected override async nextOptions(signal: AbortSignal): Promise<RedisOptions> {
    const [address, credentials] = await Promise.all([
      this.findNode(signal),
      super.nextOptions(signal),
    ]);
    return { ...credentials, ...address };
  }

  private async findNode(signal: AbortSignal): Promise<RedisOptions> {
    for (let attempt = 1; ; attempt++) {
      await whenReady({ client: asClient(this.wholeCluster) }, signal);
      // The last node is gone, or has sent us away with MOVED.
      if (this.node !== undefined) await refreshSlots(this.wholeCluster);
      signal.throwIfAborted();
      this.node = masterKeyOf(this.wholeCluster, this.slot);
      if (this.node !== undefined) break;
      this.emit('error', new Error(`no node of the cluster has slot ${this.slot}`));
      await delay(reconnectDelayMs(attempt), undefined, { signal });
    }
    const colon = this.node.lastIndexOf(':');
    return { host: this.node.slice(0, colon), port: Number(this.node.slice(colon + 1)) };
  }

  private readonly followSlot = (): void => {
    const current = masterKeyOf(this.wholeCluster, this.slot);
    if (this.node === undefined || current === undefined || current === this.node) return;
    if (this.status === 'ready' || this.status === 'connecting') this.disconnect(true);
  };
}
