import { randomBytes } from 'node:crypto';
import {
  DELAYED_STREAMS_KEY,
  delayedByKey,
  delayedKeys,
  publishedKeys,
} from '../wire/stream-keys.js';
import { errorText } from '../redis/server/redis-errors.js';
import type { ScriptArgument } from '../redis/scripts/script.js';
import { delayScript } from '../redis/scripts/publish/delay.script.js';
import type { PublishedBatch } from '../redis/scripts/publish/publish.script.js';
import * as text from './client.messages.js';
import { PublishBatch, type Sending } from './publish-batch.js';

/** What one client wants published to one stream later, called in one turn of the event loop. */
export class DelayBatch extends PublishBatch {
  // That it was sent is remembered for longer than it can be sent again.
  override findableMs(): number {
    return Number.POSITIVE_INFINITY;
  }

  /**
   * The stream is listed twice, in one write with the script. Before: a message is found when it is due also where the rest never
   * arrives. After: nobody can have taken the stream from the list since, and only then the message is accepted. In a cluster
   * the list may be on another node, and each waits for the one before it.
   */
  override async send(sending: Sending): Promise<PublishedBatch> {
    const { isCluster } = sending.client;
    const before = this.list(sending);
    if (isCluster) await this.listed(before);
    const kept = this.keep(sending);
    if (isCluster) await kept;
    const after = this.list(sending);
    // What is wrong with the first is wrong with those behind it too, or does not matter.
    before.catch(() => undefined);
    after.catch(() => undefined);
    const answers = await kept;
    await this.listed(after);
    return answers;
  }

  private async listed(list: Promise<unknown>): Promise<void> {
    try {
      await list;
    } catch (cause) {
      // Not as an answer of Redis: a refusal would say that nothing was kept.
      throw new Error(text.notListed(errorText(cause)), { cause });
    }
  }

  private list({ client }: Sending): Promise<unknown> {
    return client.hset(DELAYED_STREAMS_KEY, this.key, randomBytes(8).toString('hex'));
  }

  private keep(sending: Sending): Promise<PublishedBatch> {
    const { client, form, token, windowMs, lowest, rememberMs } = sending;
    const { calls, key, number } = this;
    const { delayed, messages } = delayedKeys(key);
    const { published, entryIds } = publishedKeys(key, token);
    const keys = [delayed, messages, published, entryIds, delayedByKey(key, token)];
    const { maxLength = '', ttlMs = '' } = this.limits ?? {};
    const sender: ScriptArgument[] = [windowMs, number, lowest, rememberMs];
    const args = [...sender, maxLength, ttlMs, calls.length];
    for (const { message } of calls) {
      const { messageId, due = '+0', fields } = message;
      args.push(messageId, due, fields.length, ...fields);
    }
    return delayScript.runAs(form, client, keys, args);
  }
}
