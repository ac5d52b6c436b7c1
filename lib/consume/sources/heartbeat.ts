import type { Redis } from 'ioredis';
import { renewScript } from '../../redis/scripts/reserve/renew.script.js';
import { localNow } from '../../redis/server/clocks.js';
import { isLeased, leaseIdOf } from '../lease-id.js';
import type { Faults } from '../../redis/connect/fault-log.js';
import type { FlowSet } from '../flow-set.js';
import type { StreamFlow } from '../stream-flow.js';
import type { StreamMessage } from '../stream-message.js';

/** How many messages one script renews: Redis serves nobody else meanwhile. */
const STEP = 200;

export interface HeartbeatParts extends Faults {
  readonly client: Redis;
  readonly group: string;
  readonly consumer: string;
  readonly leaseMs: number;
  readonly flows: FlowSet;
}

/** Keeps the leases of what runs and of what was read ahead, three times in the life of one. */
export class Heartbeat {
  private timer: NodeJS.Timeout | undefined;
  /** Where the answer is slow. In a cluster that may be one node, and no reason to let leases in others end. */
  private readonly beating = new Set<StreamFlow>();

  constructor(private readonly parts: HeartbeatParts) {}

  start(): void {
    this.timer = setInterval(() => {
      for (const flow of this.parts.flows.all) void this.beat(flow);
    }, this.parts.leaseMs / 3);
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private async beat(flow: StreamFlow): Promise<void> {
    if (this.beating.has(flow)) return;
    this.beating.add(flow);
    const { options } = flow;
    // At-most-once has acknowledged what it runs: there is nothing to keep but the leases of redrives.
    const isKept = (message: StreamMessage): boolean =>
      options.delivery === 'at-least-once' || isLeased(message, options);
    const held = flow.held().filter(isKept);
    for (let at = 0; at < held.length; at += STEP) {
      await this.renew(flow, held.slice(at, at + STEP));
    }
    this.beating.delete(flow);
  }

  private async renew(flow: StreamFlow, messages: readonly StreamMessage[]): Promise<void> {
    const { client, group, consumer, leaseMs, onFault, onWorking } = this.parts;
    const sentAt = localNow();
    try {
      const kept = await renewScript.run(
        client,
        [flow.keys.stream, flow.keys.leases, flow.keys.retries],
        [
          group,
          consumer,
          flow.holder,
          leaseMs,
          flow.options.dedup === false ? 0 : 1,
          ...messages.flatMap((message) => [message.entryId, leaseIdOf(message, flow.options)]),
        ],
      );
      messages.forEach((message, index) => {
        if (kept[index] === true) message.leasedAt = sentAt;
        else flow.leaseLost(message);
      });
      onWorking();
    } catch (error) {
      onFault(error);
    }
  }
}
