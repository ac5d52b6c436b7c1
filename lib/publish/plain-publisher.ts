import type { LoggerService } from '@nestjs/common';
import type { Redis } from 'ioredis';
import { PublishError } from '../errors/client.errors.js';
import { faultOf } from '../redis/connect/connection-faults.js';
import { cleanCause, errorText, isRedisReply } from '../redis/server/redis-errors.js';
import {
  ConnectionPublisher,
  type OnOutcome,
  type OutgoingEntry,
  type PublishOutcome,
} from './entry-publisher.js';
import * as text from './publish.messages.js';

/**
 * Sends each entry once, with `XADD`: at once if there is a connection, else as soon as there is one. It never resends, and
 * never sends an entry after its time is over.
 */
export class PlainPublisher extends ConnectionPublisher {
  private readonly waiting = new Set<Call>();
  private readonly sent = new Set<Call>();

  constructor(
    client: Redis,
    timeoutMs: number,
    private readonly logger: LoggerService,
  ) {
    super(client, timeoutMs);
  }

  protected get hasUnanswered(): boolean {
    return this.sent.size + this.waiting.size > 0;
  }

  protected sendOrFailRest(): void {
    const fault = faultOf(this.client);
    for (const call of this.waiting) call.fail(text.closedUnsent(fault), fault?.cause);
  }

  protected start(entries: readonly OutgoingEntry[], onOutcome: OnOutcome): void {
    const call: Call = new Call(this.client, entries, this.timeoutMs, onOutcome, () => {
      this.waiting.delete(call);
      this.sent.delete(call);
      this.noteAnswered();
    });
    if (this.client.status === 'ready') this.send(call);
    else this.waiting.add(call);
  }

  protected onReady(): void {
    for (const call of this.waiting) {
      this.waiting.delete(call);
      this.send(call);
    }
  }

  private send(call: Call): void {
    this.sent.add(call);
    // One write for all commands is half as fast again as a pipeline, and each command has its own answer.
    this.jointWrite.begin();
    call.send(this.logger);
  }
}

/** Entries that one call publishes, until all of them have an outcome. */
class Call {
  private readonly settled: boolean[] = [];
  private settledCount = 0;
  private isSent = false;
  private readonly timer: NodeJS.Timeout;

  constructor(
    private readonly client: Redis,
    private readonly entries: readonly OutgoingEntry[],
    timeoutMs: number,
    private readonly onOutcome: OnOutcome,
    /** Called once, when all entries have an outcome. */
    private readonly onEnd: () => void,
  ) {
    this.timer = setTimeout(() => {
      const fault = faultOf(client);
      this.fail(text.notInTime(timeoutMs, this.isSent, fault), fault?.cause);
    }, timeoutMs);
  }

  send(logger: LoggerService): void {
    const { client } = this;
    this.isSent = true;
    this.entries.forEach((entry, index) => {
      client.xadd(entry.key, ...argumentsOf(entry)).then(
        (entryId) => this.answer(index, entry, entryId),
        (error: unknown) => this.refuse(index, errorText(error), error),
      );
    });
    const [first] = this.entries;
    const ttlMs = first?.limits?.ttlMs;
    if (first === undefined || ttlMs === undefined) return;
    for (const key of new Set(this.entries.map((entry) => entry.key))) {
      client.pexpire(key, ttlMs).catch((error: unknown) => {
        // The entries are published all the same.
        if (isRedisReply(error)) logger.warn(text.ttlFailed(first.stream, errorText(error)));
      });
    }
  }

  /** Fails all entries that have no outcome yet. */
  fail(reason: string, cause?: Error): void {
    this.entries.forEach((_, index) => this.refuse(index, reason, cause, this.isSent));
  }

  private answer(
    index: number,
    { stream, messageId }: OutgoingEntry,
    entryId: string | null,
  ): void {
    if (entryId === null) this.refuse(index, text.NOT_WRITTEN);
    else this.settle(index, { stream, entryId, messageId, duplicate: false });
  }

  /** @param ambiguous whether it may have been written: once it is sent, only an answer of Redis proves that it was not */
  private refuse(
    index: number,
    reason: string,
    cause?: unknown,
    ambiguous = this.isSent && !isRedisReply(cause),
  ): void {
    const entry = this.entries[index];
    if (entry === undefined || this.settled[index] === true) return;
    const options = cause === undefined ? undefined : { cause: cleanCause(cause) };
    const { stream, messageId } = entry;
    this.settle(index, new PublishError(stream, messageId, ambiguous, reason, options));
  }

  private settle(index: number, outcome: PublishOutcome): void {
    if (this.settled[index] === true) return;
    this.settled[index] = true;
    this.onOutcome(index, outcome);
    if (++this.settledCount < this.entries.length) return;
    clearTimeout(this.timer);
    this.onEnd();
  }
}

function argumentsOf({ limits, fields }: OutgoingEntry): (string | number | Buffer)[] {
  const { maxLength } = limits ?? {};
  return maxLength === undefined ? ['*', ...fields] : ['MAXLEN', '~', maxLength, '*', ...fields];
}
