import { setTimeout as delay } from 'node:timers/promises';
import type { Cluster, RedisOptions } from 'ioredis';
import type { LegacyOptions } from '../../options/connection-option.js';
import type { AskFor } from './asked-credentials.js';
import { AskingRedis } from './asking-redis.js';
import { askForSlots, asClient, masterKeyOf } from './cluster-client.js';
import { reconnectDelayMs } from './reconnect-delay.js';
import { isMoved } from '../server/redis-errors.js';
import { whenReady } from './when-ready.js';
import * as text from './redis.messages.js';

/** A connection to whichever node serves a slot. It goes after the slot: each time that it is made, and where it moves. */
export class SlotRedis extends AskingRedis {
  /** Where it is connected to, or is about to be. */
  private at: string | undefined;

  constructor(
    private readonly whole: Cluster,
    private readonly slot: number,
    options: LegacyOptions,
    credentials: AskFor | undefined,
  ) {
    super(undefined, options, credentials);
    const { reconnectOnError } = this.options;
    this.options.reconnectOnError = (error) =>
      isMoved(error) || (reconnectOnError?.(error) ?? false);
    whole.on('refresh', this.follow);
    this.on('end', () => whole.off('refresh', this.follow));
  }

  /** The node that it is connected to, as the cluster calls it. */
  get nodeKey(): string | undefined {
    return this.at;
  }

  protected override async answers(signal: AbortSignal): Promise<RedisOptions> {
    const [where, credentials] = await Promise.all([this.find(signal), super.answers(signal)]);
    return { ...credentials, ...where };
  }

  private async find(signal: AbortSignal): Promise<RedisOptions> {
    for (let attempt = 1; ; attempt++) {
      await whenReady({ client: asClient(this.whole) }, signal);
      // Where it was connected to before, there is nobody any more, or somebody who sent it on.
      if (this.at !== undefined) await askForSlots(this.whole);
      signal.throwIfAborted();
      this.at = masterKeyOf(this.whole, this.slot);
      if (this.at !== undefined) break;
      const delayMs = reconnectDelayMs(attempt);
      this.emit('error', new Error(text.slotWithoutNode(this.slot)));
      await delay(delayMs, undefined, { signal });
    }
    const portAt = this.at.lastIndexOf(':');
    return { host: this.at.slice(0, portAt), port: Number(this.at.slice(portAt + 1)) };
  }

  private readonly follow = (): void => {
    const now = masterKeyOf(this.whole, this.slot);
    if (this.at === undefined || now === undefined || now === this.at) return;
    if (this.status === 'ready' || this.status === 'connecting') this.disconnect(true);
  };
}
