/** The message that an event is about, and where it was read. Events never contain a payload. */
export interface ConsumedMessage {
  /** The stream's name, without `keyPrefix`. */
  readonly stream: string;
  readonly group: string;
  readonly consumer: string;
  /** The ID of its entry. A redrive has that of the original entry. */
  readonly entryId: string;
  /** The ID that its producer gave it; the entry ID if there is none, or if the entry cannot be decoded. */
  readonly messageId: string;
  /** Undefined if the entry cannot be decoded. */
  readonly name: string | undefined;
}

/** A message whose attempt is known. */
export interface AttemptedMessage extends ConsumedMessage {
  /** Which attempt it is, from 1. */
  readonly attempt: number;
}

/** Redis has confirmed the message. */
export interface MessagePublished {
  readonly stream: string;
  readonly name: string;
  readonly messageId: string;
  /** Of its entry, which an earlier call may have written; `null` if it waits to be published later. */
  readonly entryId: string | null;
  /** Whether the message ID was already published within the window of `publishDedup`. */
  readonly duplicate: boolean;
  /** From the call to the answer. */
  readonly durationMs: number;
}

/** The call to publish failed. */
export interface MessagePublishFailed {
  readonly stream: string;
  readonly name: string;
  readonly messageId: string;
  /** Whether it may have arrived nevertheless. */
  readonly ambiguous: boolean;
  readonly durationMs: number;
  readonly error: unknown;
}

/** A message whose handlers have run. */
export interface MessageRun extends AttemptedMessage {
  /** How long the handlers ran. */
  readonly durationMs: number;
  /** From publishing to this run, by Redis's clock. Only for a first attempt, and if that clock is known. */
  readonly waitedMs: number | undefined;
}

/** All handlers succeeded. It is acknowledged a few milliseconds later. */
export type MessageHandled = MessageRun;

/** A handler failed, or asked for another attempt. Another event tells what happens to the message. */
export interface MessageFailed extends MessageRun {
  /** What was thrown first. Undefined if the handler settled the message itself, without an error. */
  readonly error: unknown;
  /** Whether the app is closing, so that the attempt may not count. */
  readonly closing: boolean;
}

/** The message is scheduled for another attempt. */
export interface MessageRetried extends AttemptedMessage {
  /** How long it waits at least. */
  readonly delayMs: number;
  readonly error: unknown;
}

/** The message is not tried again, and kept as a dead letter. */
export interface MessageDeadLettered extends ConsumedMessage {
  /** The attempts that were made. */
  readonly attempts: number;
  readonly reason: string;
  /** Undefined if nothing was thrown: its process died, no handler took it, or its handler gave it up. */
  readonly error: unknown;
}

/** The message is gone without having been handled. */
export interface MessageLost extends Omit<ConsumedMessage, 'messageId'> {
  /** Undefined if the entry was deleted: then only its ID is known. */
  readonly messageId: string | undefined;
  /** `deleted`: removed from the stream while it was pending. `closed`: acknowledged in advance, and never started. */
  readonly why: 'deleted' | 'closed' | 'refused';
}

/** A connection was lost or could not be made. It is retried until it works. */
export interface ConnectionReconnecting {
  /** Its purpose, as in the log: `commands`, `blocking`, `client`, … */
  readonly connection: string;
  /** The last error, if there was one. */
  readonly reason: string | undefined;
}
