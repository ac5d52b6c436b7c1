/** Which message an event is about, and where it was read. No event carries a payload. */
export interface ConsumedMessage {
  /** The stream's name, without `keyPrefix`. */
  readonly stream: string;
  readonly group: string;
  readonly consumer: string;
  /** The ID of its entry; a redrive has that of the entry that it was. */
  readonly entryId: string;
  /** The ID that its producer gave it; the entry ID where it gave none, or where the entry cannot be read. */
  readonly messageId: string;
  /** What kind of message it is; nothing where the entry cannot be read. */
  readonly name: string | undefined;
}

/** A message whose attempt is known. */
export interface AttemptedMessage extends ConsumedMessage {
  /** Which attempt it is, from 1. */
  readonly attempt: number;
}

/** Redis confirmed it. */
export interface MessagePublished {
  readonly stream: string;
  readonly name: string;
  readonly messageId: string;
  /** Of the entry that is there, which an earlier call may have written; `null` while it waits to be published later. */
  readonly entryId: string | null;
  /** Whether the message ID was published before within the window of `publishDedup`. */
  readonly duplicate: boolean;
  /** From the call to the answer. */
  readonly durationMs: number;
}

/** The call ended with an error. */
export interface MessagePublishFailed {
  readonly stream: string;
  readonly name: string;
  readonly messageId: string;
  /** Whether it may have arrived all the same. */
  readonly ambiguous: boolean;
  readonly durationMs: number;
  readonly error: unknown;
}

/** A message whose handlers have run. */
export interface MessageRun extends AttemptedMessage {
  /** How long the handlers ran. */
  readonly durationMs: number;
  /** From publishing to this run, by Redis's clock; only of a first attempt, and where that clock is known. */
  readonly waitedMs: number | undefined;
}

/** All handlers succeeded. It is acknowledged a few milliseconds later. */
export type MessageHandled = MessageRun;

/** A handler failed, or asked for another attempt. What becomes of the message is told after it. */
export interface MessageFailed extends MessageRun {
  /** What was thrown first; nothing where the handler settled by hand, without an error. */
  readonly error: unknown;
  /** Whether the app is going down, so that the attempt may not be charged. */
  readonly closing: boolean;
}

/** It is put off for another attempt. */
export interface MessageRetried extends AttemptedMessage {
  /** How long it waits at the least. */
  readonly delayMs: number;
  readonly error: unknown;
}

/** It is not tried again, and kept as a dead letter. */
export interface MessageDeadLettered extends ConsumedMessage {
  /** Attempts that it had. */
  readonly attempts: number;
  readonly reason: string;
  /** Nothing where there was none: its process died, no handler wanted it, or its handler said so. */
  readonly error: unknown;
}

/** It is gone without having been handled. */
export interface MessageLost extends Omit<ConsumedMessage, 'messageId'> {
  /** Nothing where the entry was deleted: only its ID is known. */
  readonly messageId: string | undefined;
  /** `deleted`: from the stream while it was pending. `closed`: acknowledged before its run, which did not begin. */
  readonly why: 'deleted' | 'closed';
}

/** A connection was lost, or could not be made; it is tried again until it works. */
export interface ConnectionReconnecting {
  /** What it is for, as the log calls it: `commands`, `blocking`, `client`, … */
  readonly connection: string;
  /** The last error, where there was one. */
  readonly reason: string | undefined;
}
