import { randomBytes } from 'node:crypto';
import type { Redis } from 'ioredis';
import { PublishError } from '../errors/client.errors.js';
import type { StreamLimits } from '../options/resolved-options.js';
import { delayScript } from '../redis/scripts/publish/delay.script.js';
import { publishScript, type PublishedBatch } from '../redis/scripts/publish/publish.script.js';
import type { Script, ScriptArgument } from '../redis/scripts/script.js';
import { cleanCause, errorText, isNotAllowed, isWrongType } from '../redis/server/redis-errors.js';
import {
  DELAYED_STREAMS_KEY,
  delayedByKey,
  delayedKeys,
  publishedAsKeys,
  publishedKeys,
} from '../wire/stream-keys.js';
import type { OutgoingEntry, PublishOutcome } from './entry-publisher.js';
import * as text from './publish.messages.js';

/** A script blocks Redis while it runs: so many entries, and about so many characters, are a full batch. */
const MOST_ENTRIES = 128;
const MOST_LENGTH = 256 * 1024;

interface Call {
  readonly entry: OutgoingEntry;
  /** Called once. */
  readonly settle: (outcome: PublishOutcome) => void;
}

/** How a batch is sent. */
interface Sending {
  readonly client: Redis;
  /** `whole` if Redis may not know the script by its digest. */
  readonly form: 'whole' | 'digest';
  /** Identifies the publisher. */
  readonly token: string;
  readonly windowMs: number;
  /** The lowest number of a batch that is not answered yet. */
  readonly lowest: number;
  /** How long to remember that it was sent. */
  readonly rememberMs: number;
}

/** What one client publishes to one stream in one turn of the event loop. It is sent, and resent, as a whole. */
export class EntryBatch {
  readonly script: Script<PublishedBatch> = publishScript;
  protected readonly calls: Call[] = [];
  private length = 0;
  private hasGivenIds = false;
  /** Whether all of its calls have their outcome. */
  ended = false;
  /** When it was first sent, by `performance.now()`. */
  firstSentAt: number | undefined;
  /** Whether it was sent and got no answer, so that it may have arrived. */
  mayHaveArrived = false;

  constructor(
    /** Increases with each batch of a publisher. */
    readonly number: number,
    /** The stream's key. */
    readonly key: string,
    protected readonly limits: StreamLimits | undefined,
    private readonly timer: NodeJS.Timeout,
  ) {}

  get isFull(): boolean {
    return this.calls.length >= MOST_ENTRIES || this.length >= MOST_LENGTH;
  }

  add(entry: OutgoingEntry, settle: Call['settle']): void {
    if (!entry.idIsNew) this.hasGivenIds = true;
    for (const field of entry.fields) this.length += field.length;
    this.calls.push({ entry, settle });
  }

  /** How long after the first sending a resend is recognized as one, and not written twice. */
  resendableMs(windowMs: number): number {
    return windowMs;
  }

  send({ client, form, token, windowMs, lowest, rememberMs }: Sending): Promise<PublishedBatch> {
    const { calls, key } = this;
    const { published, entryIds, byCaller } = publishedKeys(key, token);
    const { delayed, messages } = delayedKeys(key);
    const keys = [key, published, entryIds, byCaller, delayed, messages, ...publishedAsKeys(key)];
    const number = this.hasGivenIds ? this.number : 0;
    const { maxLength = '', ttlMs = '' } = this.limits ?? {};
    const sender: ScriptArgument[] = [windowMs, number, lowest, rememberMs];
    const args = [...sender, maxLength, ttlMs, calls.length];
    for (const { entry } of calls) args.push(entry.messageId);
    for (const { entry } of calls) args.push(entry.fields.length, ...entry.fields);
    return this.script.runAs(form, client, keys, args);
  }

  answer({ published, refusal = '' }: PublishedBatch): void {
    this.end();
    this.calls.forEach((call, index) => {
      const written = published[index];
      if (written === undefined) return this.refuse(call, false, refusal);
      const { stream, messageId, idIsNew } = call.entry;
      // Only this call can have written an ID that was generated for it.
      const duplicate = written.duplicate && !idIsNew;
      call.settle({ stream, entryId: written.entryId, messageId, duplicate });
    });
  }

  fail(ambiguous: boolean, reason: string, cause?: unknown): void {
    this.end();
    for (const call of this.calls) this.refuse(call, ambiguous, reason, cause);
  }

  private end(): void {
    this.ended = true;
    clearTimeout(this.timer);
  }

  private refuse(call: Call, ambiguous: boolean, reason: string, cause?: unknown): void {
    const { stream, messageId } = call.entry;
    const options = cause === undefined ? undefined : { cause: cleanCause(cause) };
    call.settle(new PublishError(stream, messageId, ambiguous, reason, options));
  }
}

/** Connections whose users may not write the list. */
const forbidden = new WeakSet<Redis>();

/** A batch of messages that are to be published later. */
export class DelayedBatch extends EntryBatch {
  override readonly script = delayScript;

  // Redis remembers that it was sent for longer than it may be resent.
  override resendableMs(): number {
    return Number.POSITIVE_INFINITY;
  }

  /**
   * Lists the stream twice, in one write with the script. The first time so that a message is found when it is due even if the
   * rest never arrives. The second time because the stream may have been taken off the list in between; only after that
   * the messages are accepted. In a cluster the list may be on another node, and each command waits for the one before it.
   */
  override async send(sending: Sending): Promise<PublishedBatch> {
    const { isCluster } = sending.client;
    const listed = this.listStream(sending);
    if (isCluster) await this.confirmListed(sending, listed);
    const stored = this.store(sending);
    if (isCluster) await stored;
    const listedAgain = this.listStream(sending);
    // If one of them fails, the script fails too, or the failure does not matter.
    listed.catch(() => undefined);
    listedAgain.catch(() => undefined);
    const answers = await stored;
    await this.confirmListed(sending, listedAgain);
    return answers;
  }

  private async confirmListed({ client }: Sending, listed: Promise<unknown>): Promise<void> {
    try {
      await listed;
    } catch (cause) {
      // Then it is found by those who read the stream or publish to it: the list is only for others.
      if (isNotAllowed(cause)) return void forbidden.add(client);
      // Those who look into the list report it.
      if (isWrongType(cause)) return;
      // Not as an error of Redis: a refusal would mean that nothing was stored.
      throw new Error(text.notListed(errorText(cause)), { cause });
    }
  }

  private async listStream({ client }: Sending): Promise<unknown> {
    if (forbidden.has(client)) return undefined;
    return client.hset(DELAYED_STREAMS_KEY, this.key, randomBytes(8).toString('hex'));
  }

  private store(sending: Sending): Promise<PublishedBatch> {
    const { client, form, token, windowMs, lowest, rememberMs } = sending;
    const { calls, key, number } = this;
    const { delayed, messages } = delayedKeys(key);
    const { published, entryIds } = publishedKeys(key, token);
    const byCaller = delayedByKey(key, token);
    const keys = [delayed, messages, published, entryIds, byCaller, ...publishedAsKeys(key)];
    const { maxLength = '', ttlMs = '' } = this.limits ?? {};
    const sender: ScriptArgument[] = [windowMs, number, lowest, rememberMs];
    const args = [...sender, maxLength, ttlMs, calls.length];
    for (const { entry } of calls) {
      const { messageId, due = '+0', fields } = entry;
      args.push(messageId, due, fields.length, ...fields);
    }
    args.push(key);
    return this.script.runAs(form, client, keys, args);
  }
}
