import type { Redis } from 'ioredis';
import type { EntryFields } from '../wire/codec.js';
import { inboxKeysOf } from '../wire/stream-keys.js';
import { replyScript } from '../redis/scripts/settle/reply.script.js';
import { retryUntilDone } from '../redis/connect/retry-until-done.js';
import type { Faults } from '../redis/connect/fault-log.js';

/** What becomes of a reply: it is in the inbox; it is, or is not, and nobody waits for it; it was closed before that was known. */
export type ReplyOutcome = 'written' | 'unwanted' | 'closed';

/** A reply that waits for its turn; its fields are asked for when it leaves. */
export interface OutgoingReply {
  readonly requestId: string;
  readonly fields: () => EntryFields;
  readonly settle: (outcome: ReplyOutcome) => void;
}

export interface ReplierParts extends Faults {
  readonly client: Redis;
  /** Ends its attempts to reach Redis. */
  readonly signal: AbortSignal;
}

/** A script serves nobody else while it runs: so many replies, and about so many characters. */
const MOST_REPLIES = 128;
const MOST_LENGTH = 256 * 1024;

/**
 * Writes replies to the inboxes of those who asked: what is there for one inbox in one round trip, and each after those
 * before it have arrived, so that they stay in their order.
 */
export class Replier {
  private readonly waiting = new Map<string, OutgoingReply[]>();

  constructor(private readonly parts: ReplierParts) {}

  send(inbox: string, reply: OutgoingReply): void {
    const queue = this.waiting.get(inbox);
    if (queue !== undefined) {
      queue.push(reply);
      return;
    }
    this.waiting.set(inbox, [reply]);
    // What is given in the same turn goes along, the end of a handler with its value above all.
    setImmediate(() => void this.sendWaiting(inbox));
  }

  private async sendWaiting(inbox: string): Promise<void> {
    const queue = this.waiting.get(inbox) ?? [];
    while (queue.length > 0) await this.sendBatch(inbox, queue);
    this.waiting.delete(inbox);
  }

  private async sendBatch(inbox: string, queue: OutgoingReply[]): Promise<void> {
    const { client, signal, onFault, onWorking } = this.parts;
    const { replies, left } = inboxKeysOf(inbox);
    const batch: OutgoingReply[] = [];
    const args: (string | number | Buffer)[] = [];
    for (let length = 0; batch.length < MOST_REPLIES && length < MOST_LENGTH;) {
      const reply = queue.shift();
      if (reply === undefined) break;
      const fields = reply.fields();
      for (const field of fields) length += field.length;
      args.push(reply.requestId, fields.length, ...fields);
      batch.push(reply);
    }
    try {
      const answer = await retryUntilDone(
        () => replyScript.run(client, [replies, left], args),
        signal,
        onFault,
      );
      onWorking();
      for (const { requestId, settle } of batch) {
        settle(answer.inboxIsThere && !answer.left.has(requestId) ? 'written' : 'unwanted');
      }
    } catch {
      for (const { settle } of batch) settle('closed');
    }
  }
}
