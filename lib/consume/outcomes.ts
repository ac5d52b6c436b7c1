import type { LoggerService } from '@nestjs/common';
import type { RawFields } from '../wire/codec.js';
import { deadLetterFields, messageOf } from '../wire/dead-letter-fields.js';
import { DeadLetterException, RetryException } from '../errors/handler.errors.js';
import { MessageValidationError } from '../errors/message.errors.js';
import type { ResolvedRetry, ResolvedSubscription } from '../options/resolved-options.js';
import { type NextStep, nextStep } from './retry-policy.js';
import * as text from './consumer.messages.js';
import type { ReplyOutcome } from '../requests/replier.js';
import { type RequestRuns, retryOf } from './handlers/request-runs.js';
import type { Settler } from './settler.js';
import type { StreamMessage } from './stream-message.js';
import type { StreamTally } from './stream-tally.js';
import type { Verdict } from './verdict.js';

export interface OutcomesParts {
  readonly stream: string;
  readonly group: string;
  readonly consumer: string;
  readonly options: ResolvedSubscription;
  readonly tally: StreamTally;
  readonly logger: LoggerService;
  readonly requests: RequestRuns;
  readonly settler: () => Settler;
  /** Keeps a message that is to be tried again in its slot. */
  readonly holdBack: (message: StreamMessage, delayMs: number) => void;
}

/** Turns what handlers came to into what is recorded: handled, another attempt, or a dead letter. */
export class Outcomes {
  constructor(private readonly parts: OutcomesParts) {}

  /**
   * @param closing whether the app is going down: then a failure may be its doing, and is not charged. What a handler
   *   decided itself is done all the same
   */
  record(message: StreamMessage, verdict: Verdict, closing: boolean): void {
    const { tally, logger, stream, group, settler, holdBack, requests } = this.parts;
    if (verdict.kind === 'handled') {
      tally.handled(message);
      return this.commit(message, requests.end(message));
    }
    if (verdict.kind === 'abandoned') return this.abandoned(message);
    if (verdict.kind === 'unhandled') return this.unhandled(message);
    if (verdict.kind === 'invalid') return this.invalid(message, verdict.error, closing);
    const { error, step } = this.decide(message, verdict);
    tally.failed(message, error, closing);
    const reason = error === undefined ? undefined : messageOf(error);
    message.replies?.stop();
    if (closing && !isDecided(verdict) && this.mayRunAgain(message)) {
      logger.warn(text.failedOnClose(stream, group, message, reason));
      settler().handOver(message);
      return;
    }
    if (step.kind === 'retry') {
      tally.retried(message, step.delayMs, error);
      logger.warn(text.putOff(stream, group, message, reason, step.delayMs));
      if (this.retryOf(message).blocking && !closing) holdBack(message, step.delayMs);
      else settler().retry(message, step.delayMs);
      return;
    }
    if (message.request === undefined) return this.deadLetter(message, step.reason, error);
    const told = (verdict.kind === 'failed' ? verdict.reply : undefined) ?? error;
    const answered = requests.refuse(message, told ?? new Error(step.reason));
    if (verdict.kind === 'dead-letter' || error instanceof DeadLetterException) {
      return this.deadLetter(message, step.reason, error);
    }
    // Its caller knows of it: nobody has to look after it.
    logger.warn(text.answeredWithError(stream, group, message, reason));
    this.commit(message, answered);
  }

  /** It was handled already, and is not run. */
  duplicate(message: StreamMessage): void {
    this.parts.tally.duplicate(message);
    void this.parts.requests.refuse(message, new Error(text.REQUEST_DUPLICATE));
  }

  /** Whether its attempts came to no end, one after the other, until there were none left. */
  isUsedUp(message: StreamMessage): boolean {
    const { delivery } = this.parts.options;
    return delivery === 'at-least-once' && message.attempt > this.retryOf(message).maxAttempts;
  }

  /** A message whose attempts are used up without an error: its process died each time, or was stopped. */
  giveUp(message: StreamMessage): void {
    const its = { ...message, attempt: message.attempt - 1 };
    if (message.request === undefined) return this.deadLetter(its, text.CRASHED, undefined);
    const { logger, stream, group, requests } = this.parts;
    logger.warn(text.answeredWithError(stream, group, its, text.CRASHED));
    this.commit(message, requests.refuse(message, new Error(text.CRASHED)));
  }

  /** It was acknowledged before its run, and closed before it began. */
  lost(message: StreamMessage): void {
    const { tally, logger, stream, group } = this.parts;
    tally.lostOnClose(message);
    logger.error(text.lostOnClose(stream, group, message.originalEntryId));
  }

  /** An entry that no codec reads will be no better the next time. */
  undecodable(
    entry: { id: string; originalId: string; fields: RawFields },
    reason: string,
    error: unknown,
  ): void {
    this.parts.tally.undecodable(entry.originalId, reason, error);
    this.parts.settler().deadLetter({
      entryId: entry.id,
      originalEntryId: entry.originalId,
      messageId: entry.id,
      reserved: false,
      fields: this.fieldsOf(entry.originalId, entry.fields, 0, reason, error, false),
    });
  }

  /** No handler wanted it: it had no attempt beside those of before. */
  private unhandled(message: StreamMessage): void {
    const { requests, options, tally } = this.parts;
    tally.unhandled(message);
    // Another group may have a handler for it, so that it is nothing to look after.
    if (message.request !== undefined || options.unhandled === 'ack') {
      return this.commit(message, requests.sayNobody(message));
    }
    const why = text.noHandler(message.envelope.name);
    this.deadLetter({ ...message, attempt: message.attempt - 1 }, why, undefined);
  }

  private abandoned(message: StreamMessage): void {
    const { tally, logger, stream, group, settler } = this.parts;
    tally.abandoned();
    logger.warn(text.abandoned(stream, group, message));
    message.replies?.stop();
    settler().commit(message);
  }

  /** @param answered when the replies of a request are in Redis: before that it is not acknowledged */
  private commit(message: StreamMessage, answered: Promise<ReplyOutcome> | undefined): void {
    const settler = this.parts.settler();
    if (answered === undefined) settler.commit(message);
    else settler.onceAnswered(answered, () => settler.commit(message));
  }

  private mayRunAgain(message: StreamMessage): boolean {
    if (this.parts.options.delivery === 'at-most-once') return false;
    return message.request === undefined || this.retryOf(message).maxAttempts > 1;
  }

  private retryOf(message: StreamMessage): ResolvedRetry {
    return retryOf(this.parts.options, message);
  }

  /** It would fit no better the next time: it has no attempt, and what it had before stays. */
  private invalid(
    { attempt, ...message }: StreamMessage,
    error: MessageValidationError,
    closing: boolean,
  ): void {
    const { logger, stream, group, settler, options, requests } = this.parts;
    // What the schema needs may have been closed already.
    if (closing && error.cause !== undefined && options.delivery === 'at-least-once') {
      logger.warn(text.failedOnClose(stream, group, { ...message, attempt }, error.reason));
      settler().handOver({ ...message, attempt });
      return;
    }
    const its = { ...message, attempt: attempt - 1 };
    if (message.request === undefined) return this.deadLetter(its, error.reason, error);
    logger.warn(text.answeredWithError(stream, group, its, error.reason));
    this.commit({ ...message, attempt }, requests.refuse({ ...message, attempt }, error));
  }

  private decide(
    message: StreamMessage,
    verdict: Exclude<Verdict, { kind: 'handled' | 'unhandled' | 'abandoned' | 'invalid' }>,
  ): { error: unknown; step: NextStep } {
    if (verdict.kind === 'dead-letter') return { error: verdict.error, step: verdict };
    const error =
      verdict.kind === 'retry' ? new RetryException({ delayMs: verdict.delayMs }) : verdict.error;
    // It was acknowledged before it ran: there is nothing left to try again.
    if (this.parts.options.delivery === 'at-most-once' && !(error instanceof DeadLetterException)) {
      return { error, step: { kind: 'dead-letter', reason: text.AT_MOST_ONCE } };
    }
    return { error, step: nextStep(this.retryOf(message), message.attempt, error) };
  }

  private deadLetter(message: StreamMessage, why: string, error: unknown): void {
    const { tally, logger, stream, group, settler } = this.parts;
    const { entryId, originalEntryId, messageId, envelope, fields, attempt } = message;
    const isSaid = error === undefined || error instanceof MessageValidationError;
    const reason = isSaid ? undefined : messageOf(error);
    tally.deadLettered(message, why, error);
    logger.error(text.deadLettered(stream, group, message, reason, why));
    settler().deadLetter({
      entryId,
      originalEntryId,
      messageId,
      envelope,
      reserved: true,
      fields: this.fieldsOf(originalEntryId, fields, attempt, why, error, this.writesLedgerFirst),
    });
  }

  private get writesLedgerFirst(): boolean {
    const { delivery, dedup } = this.parts.options;
    return delivery === 'at-most-once' && dedup !== false;
  }

  private fieldsOf(
    entryId: string,
    fields: RawFields,
    attempts: number,
    reason: string,
    error: unknown,
    inLedger: boolean,
  ): ReturnType<typeof deadLetterFields> {
    const { stream, group, consumer } = this.parts;
    const where = { entryId, stream, group, consumer };
    return deadLetterFields(fields, { ...where, reason, error, attempts, inLedger });
  }
}

/** Whether the handler said what becomes of its message: by hand, or by what it threw. */
const isDecided = (verdict: Verdict): boolean =>
  verdict.kind !== 'failed' ||
  verdict.error instanceof DeadLetterException ||
  verdict.error instanceof RetryException;
