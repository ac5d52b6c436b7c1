import type { Redis } from 'ioredis';
import { PublishError } from '../errors/client.errors.js';
import { delayedKeys, publishedKeys } from '../wire/stream-keys.js';
import type { ScriptArgument } from '../redis/scripts/script.js';
import { cleanCause } from '../redis/server/redis-errors.js';
import { publishScript } from '../redis/scripts/publish/publish.script.js';
import type { PublishedBatch } from '../redis/scripts/publish/published-batch.js';
import type { StreamLimits } from '../options/resolved-options.js';
import type { PublishOutcome, Publishing } from './publishing.js';

/** A script serves nobody else while it runs: so many messages, and about so many characters. */
const MOST_MESSAGES = 128;
const MOST_LENGTH = 256 * 1024;

interface Call {
  readonly message: Publishing;
  /** Told once what became of it. */
  readonly settle: (outcome: PublishOutcome) => void;
}

/** How a batch is sent. */
export interface Sending {
  readonly client: Redis;
  /** Whether Redis may not know the script by its digest. */
  readonly form: 'whole' | 'digest';
  /** Tells this publisher's sendings from those of others. */
  readonly token: string;
  readonly windowMs: number;
  /** The lowest number of a batch that is not answered yet. */
  readonly lowest: number;
  /** How long to remember that it was sent. */
  readonly rememberMs: number;
}

/** What one client published to one stream in one turn of the event loop. It is sent, and sent again, as a whole. */
export class PublishBatch {
  protected readonly calls: Call[] = [];
  private length = 0;
  private hasGivenIds = false;
  /** Whether all of its calls have their answer. */
  ended = false;
  /** When it was first sent, by `performance.now()`. */
  firstSentAt: number | undefined;
  /** Whether a sending of it was never answered, so that it may have arrived. */
  unclear = false;

  constructor(
    /** Counts up with each batch of a publisher. */
    readonly number: number,
    /** The stream's key. */
    readonly key: string,
    protected readonly limits: StreamLimits | undefined,
    private readonly timer: NodeJS.Timeout,
  ) {}

  get isFull(): boolean {
    return this.calls.length >= MOST_MESSAGES || this.length >= MOST_LENGTH;
  }

  add(message: Publishing, settle: Call['settle']): void {
    if (!message.idIsNew) this.hasGivenIds = true;
    for (const field of message.fields) this.length += field.length;
    this.calls.push({ message, settle });
  }

  /** For how long after it was first sent a second sending finds what the first one wrote. */
  findableMs(windowMs: number): number {
    return windowMs;
  }

  send({ client, form, token, windowMs, lowest, rememberMs }: Sending): Promise<PublishedBatch> {
    const { calls, key } = this;
    const { published, entryIds, byCaller } = publishedKeys(key, token);
    const { delayed, messages } = delayedKeys(key);
    const keys = [key, published, entryIds, byCaller, delayed, messages];
    const number = this.hasGivenIds ? this.number : 0;
    const { maxLength = '', ttlMs = '' } = this.limits ?? {};
    const sender: ScriptArgument[] = [windowMs, number, lowest, rememberMs];
    const args = [...sender, maxLength, ttlMs, calls.length];
    for (const { message } of calls) args.push(message.messageId);
    for (const { message } of calls) args.push(message.fields.length, ...message.fields);
    return publishScript.runAs(form, client, keys, args);
  }

  answer({ published, refusal = '' }: PublishedBatch): void {
    this.end();
    this.calls.forEach((call, index) => {
      const its = published[index];
      if (its === undefined) return this.refuse(call, false, refusal);
      const { stream, messageId, idIsNew } = call.message;
      // Nobody but this call could have written an ID that was made for it.
      const duplicate = its.duplicate && !idIsNew;
      call.settle({ stream, entryId: its.entryId, messageId, duplicate });
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
    const { stream, messageId } = call.message;
    const options = cause === undefined ? undefined : { cause: cleanCause(cause) };
    call.settle(new PublishError(stream, messageId, ambiguous, reason, options));
  }
}
