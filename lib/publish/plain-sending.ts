import type { Redis } from 'ioredis';
import { PublishError } from '../errors/client.errors.js';
import { cleanCause, errorText, isRedisReply } from '../redis/server/redis-errors.js';
import * as text from './client.messages.js';
import type { PublishOutcome, Publishing } from './publishing.js';

/** Messages of one stream that are sent once, one after the other, until all of them are answered. */
export class PlainSending {
  private readonly settled: boolean[] = [];
  private settledCount = 0;
  private isSent = false;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly messages: readonly Publishing[],
    private readonly onOutcome: (index: number, outcome: PublishOutcome) => void,
    /** Told once, when all have their outcome. */
    private readonly onEnd: (sending: PlainSending) => void,
  ) {}

  /** From now on it has so long for a connection and its answers. */
  begin(timeoutMs: number): void {
    this.timer = setTimeout(() => this.fail(text.notInTime(timeoutMs, this.isSent)), timeoutMs);
  }

  /** @param warn told where `ttlMs` was refused, since what was written is published all the same */
  send(client: Redis, warn: (said: string) => void): void {
    this.isSent = true;
    this.messages.forEach((message, index) => {
      client.xadd(message.key, ...argumentsOf(message)).then(
        (entryId) => this.answer(index, message, entryId),
        (error: unknown) => this.refuse(index, errorText(error), error),
      );
    });
    const [first] = this.messages;
    const ttlMs = first?.limits?.ttlMs;
    if (first === undefined || ttlMs === undefined) return;
    for (const key of new Set(this.messages.map((message) => message.key))) {
      client.pexpire(key, ttlMs).catch((error: unknown) => {
        if (isRedisReply(error)) warn(text.limitFailed(first.stream, errorText(error)));
      });
    }
  }

  /** Ends it for those that have no answer. */
  fail(reason: string, cause?: unknown): void {
    this.messages.forEach((_, index) => this.refuse(index, reason, cause));
  }

  private answer(index: number, { stream, messageId }: Publishing, entryId: string | null): void {
    if (entryId === null) return this.refuse(index, text.NOT_WRITTEN);
    this.settle(index, { stream, entryId, messageId, duplicate: false });
  }

  private refuse(index: number, reason: string, cause?: unknown): void {
    const message = this.messages[index];
    if (message === undefined || this.settled[index] === true) return;
    // Of what was sent, only an answer of Redis says for certain that it was not written.
    const ambiguous = this.isSent && !isRedisReply(cause);
    const options = cause === undefined ? undefined : { cause: cleanCause(cause) };
    const { stream, messageId } = message;
    this.settle(index, new PublishError(stream, messageId, ambiguous, reason, options));
  }

  private settle(index: number, outcome: PublishOutcome): void {
    if (this.settled[index] === true) return;
    this.settled[index] = true;
    this.onOutcome(index, outcome);
    if (++this.settledCount < this.messages.length) return;
    clearTimeout(this.timer);
    this.onEnd(this);
  }
}

function argumentsOf({ limits, fields }: Publishing): (string | number | Buffer)[] {
  const { maxLength } = limits ?? {};
  return maxLength === undefined ? ['*', ...fields] : ['MAXLEN', '~', maxLength, '*', ...fields];
}
