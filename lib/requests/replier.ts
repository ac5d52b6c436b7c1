import type { Redis } from 'ioredis';
import { type Faults, retryUntilDone } from '../redis/connect/retry-until-done.js';
import { isAboutStream, isRefusal } from '../redis/server/redis-errors.js';
import { replyScript } from '../redis/scripts/settle/reply.script.js';
import type { EntryFields } from '../wire/codec.js';
import { inboxKeysOf } from '../wire/stream-keys.js';

/**
 * What happened to a reply. `written`: it is in the inbox. `unwanted`: nobody waits for it, whether or not it was written.
 * `refused`: Redis does not let it be written. `closed`: the replier was closed before the outcome was known.
 */
export type ReplyOutcome = 'written' | 'unwanted' | 'refused' | 'closed';

interface OutgoingReply {
  readonly requestId: string;
  /** Called when the reply is sent. */
  readonly fields: () => EntryFields;
}

interface WaitingReply extends OutgoingReply {
  readonly settle: (outcome: ReplyOutcome) => void;
}

interface SentReply extends Omit<WaitingReply, 'fields'> {
  readonly fields: EntryFields;
}

/** A script blocks Redis while it runs: it writes so many replies, and about so many characters. */
const MOST_REPLIES = 128;
const MOST_LENGTH = 256 * 1024;
const MOST_REMEMBERED = 1_000;

/**
 * Writes replies to the inboxes of the callers. All replies that wait for one inbox go in one round trip, after those before
 * them have arrived, so that they stay in order.
 */
export class Replier {
  private readonly waiting = new Map<string, WaitingReply[]>();
  /** The inboxes that Redis refuses. */
  private readonly refused = new Set<string>();

  constructor(
    private readonly parts: Faults & {
      readonly client: Redis;
      /** Ends the attempts to reach Redis. */
      readonly signal: AbortSignal;
      /** Reports an inbox that Redis refuses for good. */
      readonly onRefused: (inbox: string, error: unknown) => void;
    },
  ) {}

  /** Never rejects. */
  send(inbox: string, reply: OutgoingReply): Promise<ReplyOutcome> {
    return new Promise((settle) => {
      const queue = this.waiting.get(inbox);
      if (queue !== undefined) {
        queue.push({ ...reply, settle });
        return;
      }
      this.waiting.set(inbox, [{ ...reply, settle }]);
      // Replies of the same turn go along, above all the end of a handler with its value.
      setImmediate(() => void this.sendWaiting(inbox));
    });
  }

  private async sendWaiting(inbox: string): Promise<void> {
    const queue = this.waiting.get(inbox) ?? [];
    while (queue.length > 0) await this.sendBatch(inbox, queue);
    this.waiting.delete(inbox);
  }

  private async sendBatch(inbox: string, queue: WaitingReply[]): Promise<void> {
    const batch: SentReply[] = [];
    for (let length = 0; batch.length < MOST_REPLIES && length < MOST_LENGTH;) {
      const reply = queue.shift();
      if (reply === undefined) break;
      const { requestId, settle } = reply;
      const fields = reply.fields();
      for (const field of fields) length += field.length;
      batch.push({ requestId, settle, fields });
    }
    await this.write(inbox, batch);
  }

  private async write(inbox: string, batch: readonly SentReply[]): Promise<void> {
    const { client, signal, onFault, onWorking } = this.parts;
    const { replies, left } = inboxKeysOf(inbox);
    const args = batch.flatMap(({ requestId, fields }) => [requestId, fields.length, ...fields]);
    const send = (): ReturnType<typeof replyScript.run> =>
      replyScript.run(client, [replies, left], args);
    try {
      const answer = await retryUntilDone(send, signal, onFault);
      onWorking();
      this.refused.delete(inbox);
      for (const { requestId, settle } of batch) {
        settle(answer.inboxIsThere && !answer.left.has(requestId) ? 'written' : 'unwanted');
      }
    } catch (error) {
      const isRefused = isRefusal(error);
      // Because of one reply, which does not keep the others from being written.
      if (isRefused && !isAboutStream(error) && batch.length > 1) {
        for (const reply of batch) await this.write(inbox, [reply]);
        return;
      }
      if (isRefused) this.sayRefused(inbox, error);
      for (const { settle } of batch) settle(isRefused ? 'refused' : 'closed');
    }
  }

  /** Once for each inbox: any request can name one. */
  private sayRefused(inbox: string, error: unknown): void {
    if (this.refused.has(inbox)) return;
    if (this.refused.size >= MOST_REMEMBERED) this.refused.clear();
    this.refused.add(inbox);
    this.parts.onRefused(inbox, error);
  }
}
