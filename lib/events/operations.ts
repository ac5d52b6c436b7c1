import {
  type TracingChannel,
  tracingChannel,
  type TracingChannelSubscribers,
} from 'node:diagnostics_channel';
import { guardedListener } from './channels.js';
import type { AttemptedMessage } from './message-events.js';

/** A message that is being published. */
export interface OutgoingMessage {
  readonly name: string;
  readonly messageId: string;
  /** Headers that are set while the operation starts travel with the message: the context of a trace, for example. */
  readonly headers: Record<string, string>;
}

/**
 * Runs an operation inside something, such as a context. It must call `run` once and return its result. If it throws, or does
 * not call `run`, the operation fails or does not happen.
 */
export type AroundOperation = <Result>(run: () => Promise<Result>) => Promise<Result>;

/** An operation that subscribers can enclose. */
export interface EnclosedOperation {
  /** Subscribers add functions here while the operation starts. It runs inside them; the first one is the outermost. */
  readonly around: AroundOperation[];
}

/**
 * One `emit()`, `emitBatch()` or `send()`, from the call until Redis has answered. Replies to a request come later. Its
 * `result` is the receipt, or a list of receipts.
 */
export interface PublishOperation extends EnclosedOperation {
  readonly stream: string;
  /** Whether it is an `emitBatch()`. */
  readonly isBatch: boolean;
  /** The one message of an `emit()` or `send()`, or all of a batch. */
  readonly messages: readonly OutgoingMessage[];
}

/**
 * One run of a message's handlers. Its `result` is `handled`, `unhandled`, `retry` or `dead-letter`; a failure or a timeout is its
 * `error`.
 */
export interface HandleOperation extends AttemptedMessage, EnclosedOperation {
  /** The headers of the message. */
  readonly headers: Readonly<Record<string, string>>;
  /** The ordering key, if its producer set one. */
  readonly key: string | undefined;
  /** When Redis received the entry. */
  readonly publishedAt: Date;
}

/** How outcomes are recorded, for many messages at once. */
export type SettleStep =
  'commit' | 'release' | 'hand-over' | 'put-back' | 'retry' | 'dead-letter' | 'count-attempt';

/** A message whose outcome is being recorded. */
export interface SettledMessage {
  readonly entryId: string;
  readonly messageId: string;
  /** Undefined if the entry cannot be decoded; it then has no headers either. */
  readonly name: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
}

/** One attempt to record outcomes in Redis. If it fails, another one follows. */
export interface SettleOperation extends EnclosedOperation {
  readonly stream: string;
  readonly group: string;
  readonly consumer: string;
  readonly step: SettleStep;
  readonly messages: readonly SettledMessage[];
}

/** The operations, by the name of their tracing channel. */
export interface RedisStreamsOperations {
  'nestjs-redis-streams:publish': PublishOperation;
  'nestjs-redis-streams:handle': HandleOperation;
  'nestjs-redis-streams:settle': SettleOperation;
}

/**
 * A tracing channel of this package, like `tracingChannel(name)` of `node:diagnostics_channel` but typed. A store that is bound to
 * its `start` applies to everything that runs inside, such as a handler.
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
 * Listens to the start or the end of operations, or both. All listeners of an operation get the same object, with `result` or
 * `error` at the end. `asyncEnd` is called in any case. What a listener throws or rejects with is logged; what a function in
 * `around` does, affects the operation.
 *
 * @returns a function that stops listening
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
  const guarded = Object.entries(listeners)
    .filter(([, listener]) => typeof listener === 'function')
    .map(([moment, listener]) => [
      moment,
      guardedListener(`${name}, ${moment}`, (operation) =>
        Reflect.apply(listener, listeners, [operation]),
      ),
    ]);
  // Node accepts only some of them too, but its types for version 20 require all.
  const some: TracingChannelSubscribers<RedisStreamsOperations[Name]> = Object.fromEntries(guarded);
  channel.subscribe(some);
  return () => void channel.unsubscribe(some);
}

/** Node forgets a channel to which nobody keeps a reference. */
export const operations = {
  publish: streamsOperations('nestjs-redis-streams:publish'),
  handle: streamsOperations('nestjs-redis-streams:handle'),
  settle: streamsOperations('nestjs-redis-streams:settle'),
};

/** Runs an operation that subscribers can follow and enclose. */
export function follow<Operation extends EnclosedOperation, Result>(
  channel: TracingChannel<unknown, Operation>,
  about: Omit<Operation, keyof EnclosedOperation>,
  run: () => Promise<Result>,
): Promise<Result> {
  const around: AroundOperation[] = [];
  const operation = { ...about, around } as unknown as Operation;
  const inside = (): Promise<Result> =>
    around.reduceRight<() => Promise<Result>>((inner, enclose) => () => enclose(inner), run)();
  return channel.tracePromise(inside, operation);
}
