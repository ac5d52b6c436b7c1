import { shareClasses } from '../../errors/copies.js';
import { RedisStreamsError } from '../../errors/redis-streams.error.js';
import type {
  AttemptedMessage,
  ConsumedMessage,
  MessageDeadLettered,
  MessageFailed,
  MessageHandled,
  MessageLost,
  MessageRetried,
} from '../../events/message-events.js';
import type { SettleStep } from '../../events/operations.js';

/** An event of a message. `settled`: the outcome before it is recorded in Redis. */
export type MessageEvent =
  | ({ readonly what: 'received' | 'duplicate' } & ConsumedMessage)
  | ({ readonly what: 'handled' } & MessageHandled)
  | ({ readonly what: 'unhandled' } & AttemptedMessage)
  | ({ readonly what: 'failed' } & MessageFailed)
  | ({ readonly what: 'retried' } & MessageRetried)
  | ({ readonly what: 'dead-lettered' } & MessageDeadLettered)
  | ({ readonly what: 'lost' } & MessageLost)
  | ({ readonly what: 'settled'; readonly step: SettleStep } & ConsumedMessage);

/** One run of a message's handlers. */
export interface MessageAttempt {
  readonly attempt: number;
  readonly outcome: 'handled' | 'failed' | 'unhandled';
  /** How long the handlers ran; 0 if there were none. */
  readonly durationMs: number;
  /** The error, if it failed. */
  readonly error: unknown;
}

/** The state of a message in Redis. Times are by Redis's clock. */
export type MessageState =
  /** Redis has nothing of it: it was not published, or it is gone. */
  | { readonly kind: 'unknown' }
  /** It will be published later. */
  | { readonly kind: 'delayed'; readonly dueInMs: number }
  /** It is not yet delivered to the group. */
  | { readonly kind: 'unread'; readonly entryId: string }
  /** A consumer has it; it may be running. */
  | {
      readonly kind: 'pending';
      readonly entryId: string;
      readonly consumer: string;
      readonly deliveries: number;
      readonly attemptsUsed: number;
    }
  /** It waits for its next attempt. */
  | {
      readonly kind: 'retrying';
      readonly entryId: string;
      readonly attemptsUsed: number;
      readonly dueInMs: number;
    }
  | {
      readonly kind: 'dead-letter';
      readonly deadLetterId: string;
      readonly reason: string;
      readonly attempts: number;
      /** Whether it waits to run again, or is running. */
      readonly isRedriven: boolean;
    }
  /** It is in the ledger: it was handled, and will not run again. */
  | { readonly kind: 'handled'; readonly handledAt: Date }
  /** It was acknowledged, and is not in the ledger. */
  | { readonly kind: 'acknowledged'; readonly entryId: string };

/** What happened to a message in the app, and its state in Redis now. */
export interface MessageHistory {
  readonly messageId: string;
  /** `undefined` if no subscribed stream has it. */
  readonly stream: string | undefined;
  readonly events: readonly MessageEvent[];
  readonly attempts: readonly MessageAttempt[];
  readonly state: MessageState;
}

/** A message: its ID, its receipt, or what is known about it. What is left out is not compared. */
export type WhichMessage =
  | string
  | {
      readonly messageId?: string;
      readonly stream?: string;
      readonly name?: string;
      /** The message is also found by it if its codec carries no message ID, as `FieldCodec`: then its ID is that of its entry. */
      readonly entryId?: string | null;
    };

/** The attempts among the events. */
export function attemptsOf(events: readonly MessageEvent[]): MessageAttempt[] {
  const attempts: MessageAttempt[] = [];
  for (const event of events) {
    const { what } = event;
    if (what !== 'failed' && what !== 'handled' && what !== 'unhandled') continue;
    attempts.push({
      attempt: event.attempt,
      outcome: what,
      durationMs: what === 'unhandled' ? 0 : event.durationMs,
      error: what === 'failed' ? event.error : undefined,
    });
  }
  return attempts;
}

/** What a test waited for did not happen, or the app cannot be tested. The message says what is known. */
export class StreamsTestingError extends RedisStreamsError {
  readonly code = 'STREAMS_TESTING';

  constructor(
    message: string,
    /** What happened to the message that the test waited for, if its ID is known. */
    readonly history?: MessageHistory | undefined,
    options?: ErrorOptions,
  ) {
    super(message, options, 'lines');
  }
}

/** The message ID, if the test gave one. */
export const messageIdOf = (which: WhichMessage): string | undefined =>
  typeof which === 'string' ? which : which.messageId;

shareClasses({ StreamsTestingError });
