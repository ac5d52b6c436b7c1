import type { LoggerService } from '@nestjs/common';
import { MessageValidationError } from '../errors/message.errors.js';
import { thrownText } from '../errors/thrown-text.js';
import { cutText, isA } from '../errors/thrown.js';
import { FaultLog } from '../redis/connect/retry-until-done.js';
import { errorText } from '../redis/server/redis-errors.js';
import * as text from './consumer.messages.js';
import { errorOf, type Outcome } from './decide.js';
import type { Verdict } from './handlers/run.js';
import type { Message, UnreadableEntry } from './message.js';
import type { Sequencer } from './order/sequencer.js';
import type { StreamTally } from './tallies.js';

/** In the log, of a reason that a handler gave. */
const LONGEST_REASON = 4_096;

/** Says what becomes of one stream's messages: counts, events and log lines. */
export class Report {
  private isHeldFull = false;

  constructor(
    private readonly stream: string,
    private readonly group: string,
    private readonly tally: StreamTally,
    private readonly logger: LoggerService,
    private readonly delayFaults: DelayFaults,
  ) {}

  received(message: Message): void {
    this.tally.received(message);
  }

  /** @param nowMs what `performance.now()` shows */
  started(message: Message, nowMs: number): void {
    this.tally.started(message, nowMs);
  }

  ended(message: Message, verdict: Verdict, ranMs: number): void {
    this.tally.ran(message, verdict, ranMs);
  }

  duplicate(message: Message): void {
    this.tally.duplicate(message);
  }

  /** What becomes of a message that ran. */
  decided(message: Message, verdict: Verdict, outcome: Outcome, isClosing: boolean): void {
    switch (verdict.kind) {
      case 'handled':
        return this.tally.handled(message);
      case 'unhandled':
        this.tally.unhandled(message);
        break;
      case 'abandoned':
        this.tally.abandoned();
        return this.logger.warn(text.abandoned(this.stream, this.group, message));
      case 'invalid':
        break;
      default:
        this.tally.failed(message, errorOf(verdict), isClosing);
    }
    this.outcome(message, outcome);
  }

  /** What becomes of a message, whether or not it ran. */
  outcome(message: Message, outcome: Outcome): void {
    const { stream, group, logger } = this;
    switch (outcome.kind) {
      case 'retry': {
        const { delayMs, error, fault } = outcome;
        if (fault !== undefined) this.delayFaults.say(stream, group, fault);
        this.tally.retried(message, delayMs, error);
        return logger.warn(text.putOff(stream, group, message, reasonOf(error), delayMs));
      }
      case 'give-back':
        if (!('error' in outcome)) return;
        return logger.warn(text.failedOnClose(stream, group, message, reasonOf(outcome.error)));
      case 'answered': {
        const counted = { ...message, attempt: outcome.attempts };
        return logger.warn(text.answeredWithError(stream, group, counted, reasonOf(outcome.error)));
      }
      case 'dead': {
        const { reason, error, attempts } = outcome;
        const counted = { ...message, attempt: attempts };
        const isSaid = isA(error, MessageValidationError);
        this.tally.deadLettered(counted, reason, error);
        return logger.error(
          text.deadLettered(
            stream,
            group,
            counted,
            isSaid ? undefined : reasonOf(error),
            cutText(reason, LONGEST_REASON),
          ),
        );
      }
      default:
    }
  }

  /** No codec reads the entry. */
  unreadable({ entryId, reason, error }: UnreadableEntry): void {
    this.logger.error(text.entryNotDecodable(this.stream, this.group, entryId, reason));
    this.tally.undecodable(entryId, reason, error);
  }

  /** The entry was deleted while it was pending. */
  deleted(entryId: string): void {
    this.tally.deleted(entryId);
    this.logger.error(text.entryLost(this.stream, this.group, entryId));
  }

  /** At-most-once acknowledged it, and it could not be given back. */
  lost(message: Message): void {
    this.tally.lostOnClose(message);
    this.logger.error(text.lostOnClose(this.stream, this.group, message.entryId));
  }

  /** At-most-once acknowledged it, and its dead letter was refused. */
  lostWithLetter({ entryId }: Pick<Message, 'entryId'>, error: Error): void {
    this.tally.lostRefused(entryId);
    this.logger.error(text.lostWithLetter(this.stream, this.group, entryId, errorText(error)));
  }

  /** Neither what became of it nor a dead letter can be recorded. */
  leftPending({ entryId }: Pick<Message, 'entryId'>, error: Error, delayMs: number): void {
    this.tally.leftPending++;
    const reason = errorText(error);
    this.logger.error(text.leftPending(this.stream, this.group, entryId, reason, delayMs));
  }

  /** Handlers that did not end in time. */
  stillRunning(count: number): void {
    if (count > 0) this.logger.warn(text.stillRunning(this.stream, count));
  }

  /** Whether retries hold back so many messages that nothing more is read. Said once until that is over. */
  heldFull({ room, held }: Pick<Sequencer, 'room' | 'held'>, key: string): void {
    const isFull = room === 0;
    if (isFull && !this.isHeldFull) this.logger.warn(text.heldFull(key, held));
    this.isHeldFull = isFull;
  }
}

/** Logs that user code asks for what is no delay: once for each stream, since it may do so for every message. */
export class DelayFaults {
  private readonly said = new Set<string>();

  constructor(private readonly logger: LoggerService) {}

  say(stream: string, group: string, fault: string): void {
    if (this.said.has(stream)) return;
    this.said.add(stream);
    this.logger.error(text.noDelay(stream, group, fault));
  }
}

/** What an error says. A validation error says why the payload is not valid. */
function reasonOf(error: unknown): string | undefined {
  if (error === undefined) return undefined;
  return isA(error, MessageValidationError) ? error.reason : thrownText(error);
}

/** Logs which step of a stream's messages Redis refuses, once until it works again. */
export class StepFaults {
  private readonly log: FaultLog;

  constructor(
    private readonly logger: LoggerService,
    private readonly stream: string,
  ) {
    this.log = new FaultLog(logger);
  }

  failed(step: string, error: unknown): void {
    this.log.say(text.stepFailed(step, this.stream, errorText(error)), step);
  }

  worked(step: string): void {
    this.log.over(step);
  }

  /** A dead letter was too large for Redis as a whole. */
  shortened(entryId: string, error: unknown): void {
    this.logger.error(text.deadLetterShortened(this.stream, entryId, errorText(error)));
  }
}
