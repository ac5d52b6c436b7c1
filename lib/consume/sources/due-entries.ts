import type { Redis } from 'ioredis';
import type { DelayedMessages } from '../../publish/delayed-messages.js';
import { hashSlot } from '../../wire/hash-slot.js';
import { streamIdOf, compareEntryIds } from '../../wire/entry-id.js';
import { JointWrite } from '../../redis/connect/joint-write.js';
import { takeDueEntriesScript } from '../../redis/scripts/reserve/take-due-entries.script.js';
import { dueAmong } from './due-among.js';
import type { Faults } from '../../redis/connect/fault-log.js';
import type { FlowSet } from '../flow-set.js';
import { retriesBlock } from '../handlers/request-runs.js';
import type { Resumption } from './resumption.js';
import type { StreamFlow } from '../stream-flow.js';

const EVERY_MS = 200;

export interface DueEntriesParts extends Faults {
  readonly client: Redis;
  readonly group: string;
  readonly consumer: string;
  readonly leaseMs: number;
  readonly flows: FlowSet;
  readonly resumption: Resumption;
  readonly delayed: DelayedMessages;
}

/** Asks, for all streams at once, for entries whose time has come, and for messages that are to be published by now. */
export class DueEntries {
  private timer: NodeJS.Timeout | undefined;
  /** Under way, by what can be asked together: all streams, in a cluster those of a slot. */
  private readonly asking = new Map<string, Promise<void>>();
  private readonly jointWrite: JointWrite;
  private sides:
    | {
        readonly of: readonly StreamFlow[];
        readonly together: ReadonlyMap<string, readonly StreamFlow[]>;
      }
    | undefined;

  constructor(private readonly parts: DueEntriesParts) {
    this.jointWrite = new JointWrite(parts.client);
  }

  start(): void {
    const { client, delayed } = this.parts;
    this.timer = setInterval(() => {
      if (client.status !== 'ready') return;
      this.jointWrite.begin();
      delayed.check();
      this.askAll();
    }, EVERY_MS);
  }

  /** Fulfilled once nothing more will be brought. */
  async stop(): Promise<void> {
    clearInterval(this.timer);
    await Promise.all([...this.asking.values(), this.parts.delayed.stop()]);
  }

  private askAll(): void {
    for (const [side, flows] of this.sidesOf(this.parts.flows.shared)) {
      if (this.asking.has(side)) continue;
      const asked = this.ask(flows).finally(() => this.asking.delete(side));
      this.asking.set(side, asked);
    }
  }

  /** Which streams can be asked for together. It is looked at five times a second, and changes seldom. */
  private sidesOf(flows: readonly StreamFlow[]): ReadonlyMap<string, readonly StreamFlow[]> {
    if (this.sides?.of === flows) return this.sides.together;
    const together = new Map<string, StreamFlow[]>();
    for (const flow of flows) {
      const side = this.parts.client.isCluster ? String(hashSlot(flow.keys.stream)) : '';
      const its = together.get(side);
      if (its === undefined) together.set(side, [flow]);
      else its.push(flow);
    }
    this.sides = { of: flows, together };
    return together;
  }

  /** What was handed back comes with the rest of what is resumed, as long as that goes on; and so does all, if nothing may pass. */
  private bounds(flow: StreamFlow): readonly [count: number, lowest: '0' | '-inf'] {
    return [flow.room, this.parts.resumption.isOpen(flow) ? '0' : '-inf'];
  }

  private mayAsk(flow: StreamFlow): boolean {
    return flow.room > 0 && !(retriesBlock(flow.options) && this.parts.resumption.isOpen(flow));
  }

  private async ask(present: readonly StreamFlow[]): Promise<void> {
    const { client, group, consumer, leaseMs, onFault, onWorking } = this.parts;
    try {
      const due = await dueAmong(client, present);
      onWorking();
      const asked = due.filter((flow) => this.mayAsk(flow));
      if (asked.length === 0) return;
      const taken = await takeDueEntriesScript.run(
        client,
        asked.flatMap(({ keys }) => [keys.stream, keys.retries, keys.attempts, keys.deadLetters]),
        [group, consumer, leaseMs, ...asked.flatMap((flow) => this.bounds(flow))],
      );
      // The answer to what put them off may have come just before this one, and is dealt with first.
      if (taken.some((entries) => entries.length > 0)) await new Promise(setImmediate);
      asked.forEach((flow, index) => {
        const entries = taken[index] ?? [];
        // Those that are due at the same time come in the order of their text.
        flow.accept(
          [...entries].sort((a, b) => compareEntryIds(streamIdOf(a.id), streamIdOf(b.id))),
        );
      });
    } catch (error) {
      onFault(error);
    }
  }
}
