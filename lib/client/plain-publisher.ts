import type { Redis } from 'ioredis';
import { PublishError } from '../errors/publish.error.js';
import { JointWrite } from '../redis/joint-write.js';
import { cleanCause, errorText, isRedisReply } from '../redis/redis-errors.js';
import * as text from './client.messages.js';
import type { PublishReceipt } from './publish-receipt.js';
import type { Publisher, Publishing } from './publishing.js';

/** One call of `publish`, until it is answered. */
interface Attempt {
  readonly message: Publishing;
  readonly resolve: (receipt: PublishReceipt) => void;
  readonly reject: (error: PublishError) => void;
  readonly timer: NodeJS.Timeout;
}

/**
 * Sends each message once, whatever others published: at once where there is a connection, else as soon as there is one.
 * What was not sent in time is never sent later.
 */
export class PlainPublisher implements Publisher {
  private readonly waiting = new Set<Attempt>();
  private readonly sent = new Set<Attempt>();
  private readonly jointWrite: JointWrite;

  constructor(
    private readonly client: Redis,
    private readonly timeoutMs: number,
  ) {
    this.jointWrite = new JointWrite(client);
    client.on('ready', this.sendWaiting);
  }

  publish(message: Publishing): Promise<PublishReceipt> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.fail(attempt, text.notInTime(this.timeoutMs, this.sent.has(attempt)));
      }, this.timeoutMs);
      const attempt: Attempt = { message, resolve, reject, timer };
      if (this.client.status === 'ready') this.send(attempt);
      else this.waiting.add(attempt);
    });
  }

  async close(): Promise<void> {
    this.client.off('ready', this.sendWaiting);
    for (const attempt of this.waiting) this.fail(attempt, text.CLOSED);
    await new Promise<void>((resolve) => {
      this.onAnswered = resolve;
      this.noteAnswered();
    });
  }

  private onAnswered: (() => void) | undefined;

  private readonly sendWaiting = (): void => {
    for (const attempt of this.waiting) {
      this.waiting.delete(attempt);
      this.send(attempt);
    }
  };

  private send(attempt: Attempt): void {
    const { stream, key, messageId, fields } = attempt.message;
    this.sent.add(attempt);
    this.jointWrite.begin();
    this.client.xadd(key, '*', ...fields).then(
      (entryId) => {
        if (entryId === null) return this.fail(attempt, text.NOT_WRITTEN);
        this.forget(attempt);
        attempt.resolve({ stream, entryId, messageId, duplicate: false });
      },
      (error: unknown) => this.fail(attempt, errorText(error), error),
    );
  }

  private fail(attempt: Attempt, reason: string, cause?: unknown): void {
    const { stream, messageId } = attempt.message;
    // Of what was sent, only an answer of Redis says for certain that it was not written.
    const ambiguous = this.sent.has(attempt) && !isRedisReply(cause);
    const options = cause === undefined ? undefined : { cause: cleanCause(cause) };
    this.forget(attempt);
    attempt.reject(new PublishError(stream, messageId, ambiguous, reason, options));
  }

  private forget(attempt: Attempt): void {
    clearTimeout(attempt.timer);
    this.waiting.delete(attempt);
    this.sent.delete(attempt);
    this.noteAnswered();
  }

  private noteAnswered(): void {
    if (this.sent.size === 0) this.onAnswered?.();
  }
}
