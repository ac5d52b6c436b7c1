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

/** What the app said of a message, and what about it. `settled`: what went before is recorded in Redis. */
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
  /** How long the handlers ran; 0 where there was none. */
  readonly durationMs: number;
  /** What was thrown, where it failed. */
  readonly error: unknown;
}

/** How a message is in Redis. Times are by Redis's clock. */
export type MessageState =
  /** Nothing of it is there: it was not published, or it is gone. */
  | { readonly kind: 'unknown' }
  /** It is to be published later. */
  | { readonly kind: 'delayed'; readonly dueInMs: number }
  /** The group was not given it yet. */
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
      /** Whether it is to run again, or does so. */
      readonly isRedriven: boolean;
    }
  /** It is in the ledger: it was handled, and is not run again. */
  | { readonly kind: 'handled'; readonly handledAt: Date }
  /** It was acknowledged, and the ledger does not have it. */
  | { readonly kind: 'acknowledged'; readonly entryId: string };

/** What happened to a message, as the app said, and how it is in Redis now. */
export interface MessageHistory {
  readonly messageId: string;
  /** Nothing where no subscribed stream knows it. */
  readonly stream: string | undefined;
  readonly events: readonly MessageEvent[];
  readonly attempts: readonly MessageAttempt[];
  readonly state: MessageState;
}

/** Which message is meant: its ID, its receipt, or what is known of it. What is left out is not compared. */
export type WhichMessage =
  string | { readonly messageId?: string; readonly stream?: string; readonly name?: string };

/** The runs among the events. */
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
