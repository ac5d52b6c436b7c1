import type { Redis } from 'ioredis';
import type { DelayedMessages } from '../delayed/delayed-messages.js';
import { hashSlot } from '../keys/hash-slot.js';
import { streamIdOf } from '../keys/redrive-member.js';
import { compareEntryIds } from '../redis/entry-id.js';
import { JointWrite } from '../redis/joint-write.js';
import { dueEntriesScript } from '../redis/scripts/due-entries.script.js';
import { dueAmong } from './due-among.js';
import type { Faults } from './fault-log.js';
import type { FlowSet } from './flow-set.js';
import type { StreamFlow } from './stream-flow.js';

const EVERY_MS = 200;

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

  constructor(
    private readonly client: Redis,
    private readonly group: string,
    private readonly consumer: string,
    private readonly leaseMs: number,
    private readonly flows: FlowSet,
    private readonly delayed: DelayedMessages,
    private readonly faults: Faults,
  ) {
    this.jointWrite = new JointWrite(client);
  }

  start(): void {
    this.timer = setInterval(() => {
      if (this.client.status !== 'ready') return;
      this.jointWrite.begin();
      this.delayed.check();
      this.askAll();
    }, EVERY_MS);
  }

  /** Fulfilled once nothing more will be brought. */
  async stop(): Promise<void> {
    clearInterval(this.timer);
    await Promise.all([...this.asking.values(), this.delayed.stop()]);
  }

  private askAll(): void {
    for (const [side, flows] of this.sidesOf(this.flows.shared)) {
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
      const side = this.client.isCluster ? String(hashSlot(flow.keys.stream)) : '';
      const its = together.get(side);
      if (its === undefined) together.set(side, [flow]);
      else its.push(flow);
    }
    this.sides = { of: flows, together };
    return together;
  }

  private async ask(present: readonly StreamFlow[]): Promise<void> {
    try {
      const due = await dueAmong(this.client, present);
      this.faults.onWorking();
      const asked = due.filter(({ room }) => room > 0);
      if (asked.length === 0) return;
      const taken = await dueEntriesScript.run(
        this.client,
        asked.flatMap(({ keys }) => [keys.stream, keys.retries, keys.attempts, keys.deadLetters]),
        [this.group, this.consumer, this.leaseMs, ...asked.map(({ room }) => room)],
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
      this.faults.onFault(error);
    }
  }
}
