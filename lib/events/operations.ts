import {
  type TracingChannel,
  tracingChannel,
  type TracingChannelSubscribers,
} from 'node:diagnostics_channel';
import type { AttemptedMessage } from './message-events.js';

/** A message that is about to be written. */
export interface OutgoingMessage {
  readonly name: string;
  readonly messageId: string;
  /** What is set here while the operation starts travels with the message: the context of a trace, for example. */
  readonly headers: Record<string, string>;
}

/**
 * Does an operation inside something, a context for example: it calls `run` once, and gives what that gives. Where it throws
 * something else, or does not call it, the operation fails so.
 */
export type AroundOperation = <Result>(run: () => Promise<Result>) => Promise<Result>;

/** What can be done inside something else. */
export interface EnclosedOperation {
  /** What a subscriber adds here while the operation starts, it is done inside of; the first one is the outermost. */
  readonly around: AroundOperation[];
}

/**
 * One `emit()`, `emitBatch()` or `send()`, from the call until Redis has answered; the replies to a request come later. Its
 * `result` is the receipt, or the list of them.
 */
export interface PublishOperation extends EnclosedOperation {
  readonly stream: string;
  /** Whether it is an `emitBatch()`. */
  readonly isBatch: boolean;
  /** The one message of an `emit()` or `send()`, or all of a batch. */
  readonly messages: readonly OutgoingMessage[];
}

/**
 * One run of a message's handlers. Its `result` is what they came to: `handled`, `unhandled`, `retry` or `dead-letter`; a
 * failure, or a timeout, is its `error`.
 */
export interface HandleOperation extends AttemptedMessage, EnclosedOperation {
  /** As they came with the message. */
  readonly headers: Readonly<Record<string, string>>;
  /** The ordering key, where its producer set one. */
  readonly key: string | undefined;
  /** When Redis took the entry. */
  readonly publishedAt: Date;
}

/** What is recorded of messages, many at once. */
export type SettleStep =
  'commit' | 'release' | 'hand-over' | 'put-back' | 'retry' | 'dead-letter' | 'count-attempt';

/** A message whose outcome is recorded. */
export interface SettledMessage {
  readonly entryId: string;
  readonly messageId: string;
  /** Nothing where the entry cannot be read, as of its headers. */
  readonly name: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
}

/** One try to record outcomes in Redis; where it is an error, the next one follows. */
export interface SettleOperation extends EnclosedOperation {
  readonly stream: string;
  readonly group: string;
  readonly consumer: string;
  readonly step: SettleStep;
  readonly messages: readonly SettledMessage[];
}

/** What goes on for a while, by the name of its tracing channel. */
export interface RedisStreamsOperations {
  'nestjs-redis-streams:publish': PublishOperation;
  'nestjs-redis-streams:handle': HandleOperation;
  'nestjs-redis-streams:settle': SettleOperation;
}

/**
 * A tracing channel of this package, with its type: the same as `tracingChannel(name)` of `node:diagnostics_channel`. A
 * store bound to its `start` holds for what runs inside, a handler for example.
 *
 * @example
 * ```ts
 * streamsOperations('nestjs-redis-streams:handle').start.bindStore(currentMessage, ({ messageId }) => messageId);
 * ```
 */
export function streamsOperations<Name extends keyof RedisStreamsOperations>(
  name: Name,
): TracingChannel<unknown, RedisStreamsOperations[Name]> {
  return tracingChannel<unknown, RedisStreamsOperations[Name]>(name);
}

/**
 * Listens to operations: to their start, their end, or both. The same object comes to each, with `result` or `error` at the
 * end; `asyncEnd` is the one that comes in any case.
 *
 * @returns ends it
 * @example
 * ```ts
 * const end = onStreamsOperation('nestjs-redis-streams:handle', {
 *   asyncEnd: ({ stream, messageId, error }) => audit.note(stream, messageId, error),
 * });
 * ```
 */
export function onStreamsOperation<Name extends keyof RedisStreamsOperations>(
  name: Name,
  listeners: Partial<TracingChannelSubscribers<RedisStreamsOperations[Name]>>,
): () => void {
  const channel = streamsOperations(name);
  // Node takes some of them as well as all; its types for version 20 do not know.
  const some = listeners as TracingChannelSubscribers<RedisStreamsOperations[Name]>;
  channel.subscribe(some);
  return () => void channel.unsubscribe(some);
}

/** Kept here, as Node forgets a channel that nobody holds. */
export const operations = {
  publish: streamsOperations('nestjs-redis-streams:publish'),
  handle: streamsOperations('nestjs-redis-streams:handle'),
  settle: streamsOperations('nestjs-redis-streams:settle'),
};

/** Does something that subscribers follow, inside what they want it in. */
export function follow<Its extends EnclosedOperation, Result>(
  channel: TracingChannel<unknown, Its>,
  about: Omit<Its, keyof EnclosedOperation>,
  run: () => Promise<Result>,
): Promise<Result> {
  const around: AroundOperation[] = [];
  const operation = { ...about, around } as unknown as Its;
  const inside = (): Promise<Result> =>
    around.reduceRight<() => Promise<Result>>((its, enclose) => () => enclose(its), run)();
  return channel.tracePromise(inside, operation);
}
