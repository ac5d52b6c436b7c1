import type { Redis } from 'ioredis';
import { modesFor } from '../../lib/consume/delivery/deliveries-for.js';
import { DeliveryScripts } from '../../lib/consume/delivery/delivery-scripts.js';
import type { DeliveryMode } from '../../lib/consume/delivery/mode.js';
import type { Message } from '../../lib/consume/message.js';
import type { Holder } from '../../lib/wire/ids.js';
import { type StreamKeys, streamKeys } from '../../lib/wire/stream-keys.js';
import { DEFAULTS } from '../../lib/options/resolved-options.js';
import { packLedgerScript } from '../../lib/redis/scripts/ledger/pack-ledger.script.js';
import { processedAtScript } from '../../lib/redis/scripts/ledger/processed-at.script.js';
import { sweepPackedScript } from '../../lib/redis/scripts/ledger/sweep-packed.script.js';
import { aMessage } from './a-message.js';
import { freshName } from './fresh-name.js';
import { scriptsOf } from '../../lib/redis/scripts/script.js';

const WINDOW_MS = 60_000;
const PUBLISHED_MS = Date.now();

/** The scripts of a consumer and of maintenance, for a ledger that keeps few IDs in the ZSET. */
export class LedgerConsumer {
  static readonly GROUP = 'billing';
  static readonly WINDOW_MS = WINDOW_MS;
  /** The entry of the first message of each call. */
  static readonly FIRST_ENTRY = `${PUBLISHED_MS}-0`;
  readonly keys: StreamKeys;

  constructor(
    readonly client: Redis,
    readonly stream: string,
    private readonly delivery: 'at-least-once' | 'at-most-once' = 'at-least-once',
    private readonly windowMs = WINDOW_MS,
  ) {
    this.keys = streamKeys('', stream, LedgerConsumer.GROUP);
  }

  async commit(messageIds: readonly string[]): Promise<void> {
    for (const some of hundreds(messageIds))
      await this.modeOf('outcomes').commit(some.map(asMessage));
  }

  async putBack(messageIds: readonly string[]): Promise<readonly boolean[]> {
    const { ledger, packedLedger } = this.keys;
    const messages = messageIds.map(asMessage);
    for (const message of messages) {
      const [at] = await processedAtScript.run(
        this.client,
        [ledger, packedLedger],
        [message.messageId],
      );
      if (at !== undefined) message.recordedMs = at;
    }
    return this.modeOf('outcomes').giveBack(messages);
  }

  /** The result of each, under a separate token. */
  async reserve(messageIds: readonly string[], token = freshName('token')): Promise<string[]> {
    const kinds: string[] = [];
    for (const some of hundreds(messageIds)) {
      const reservations = await this.modeOf(token).reserve(some.map(asMessage));
      kinds.push(...reservations.map(({ kind }) => kind));
    }
    await this.client.del(this.keys.leases);
    return kinds;
  }

  /** All but the newest hundred, or as many as given. */
  async pack(unpacked = 100): Promise<void> {
    while ((await this.packStep(128, unpacked)) > 0);
  }

  packStep(atMost = 128, unpacked = 100): Promise<number> {
    const { ledger, packedLedger } = this.keys;
    const { client, windowMs } = this;
    return packLedgerScript.run(client, [ledger, packedLedger], [windowMs, unpacked, atMost]);
  }

  /** @returns how many entries it removed */
  async sweep(): Promise<number> {
    let total = 0;
    for (let left = 1; left > 0;) {
      const { removed, due } = await this.sweepStep(50);
      total += removed;
      left = due;
    }
    return total;
  }

  /** @returns how many steps had something to do */
  async sweepSteps(buckets = 50): Promise<number> {
    const swept = (): Promise<string | null> => this.client.hget(this.keys.packedLedger, 'swept');
    for (let steps = 0; ; steps++) {
      const before = await swept();
      const { due } = await this.sweepStep(buckets);
      if ((await swept()) === before) return steps;
      if (due === 0) return steps + 1;
    }
  }

  /** Only what is packed is left. */
  forgetNewest(): Promise<number> {
    return this.client.del(this.keys.ledger);
  }

  private sweepStep(buckets: number): Promise<{ removed: number; due: number }> {
    return sweepPackedScript.run(this.client, [this.keys.packedLedger], [this.windowMs, buckets]);
  }

  private modeOf(token: string): DeliveryMode {
    const { client, keys, delivery, windowMs, stream } = this;
    const holder = token as Holder;
    const group = LedgerConsumer.GROUP;
    const place = { stream, keys, group, consumer: 'c', holder, leaseMs: 60_000 };
    const options = { ...DEFAULTS.subscription, dedup: { windowMs }, delivery };
    return modesFor(new DeliveryScripts(scriptsOf(client), place), options).entries;
  }
}

const hundreds = <Item>(all: readonly Item[]): Item[][] =>
  Array.from({ length: Math.ceil(all.length / 100) }, (_, n) => all.slice(n * 100, n * 100 + 100));

/** Its entry was published within a lease's time, so nobody checks whether it is pending. */
const asMessage = (messageId: string, n: number): Message =>
  aMessage(`${PUBLISHED_MS}-${n}`, messageId);
