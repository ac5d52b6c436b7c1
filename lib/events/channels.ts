import { channel, subscribe, unsubscribe } from 'node:diagnostics_channel';
import { types } from 'node:util';
import { SafeLogger } from '../errors/safe-logger.js';
import { thrownText } from '../errors/thrown-text.js';
import { inOwnContext } from './async-context.js';
import type {
  AttemptedMessage,
  ConnectionReconnecting,
  ConsumedMessage,
  MessageDeadLettered,
  MessageFailed,
  MessageHandled,
  MessageLost,
  MessagePublished,
  MessagePublishFailed,
  MessageRetried,
} from './message-events.js';

/** This package's channels of `node:diagnostics_channel`, and the events on them. */
export interface RedisStreamsChannels {
  'nestjs-redis-streams:message:published': MessagePublished;
  'nestjs-redis-streams:message:publish-failed': MessagePublishFailed;
  /** An entry was read and decoded. Whether it may run here is not known yet. */
  'nestjs-redis-streams:message:received': ConsumedMessage;
  /** Found in the ledger, so it does not run. */
  'nestjs-redis-streams:message:duplicate': ConsumedMessage;
  'nestjs-redis-streams:message:handled': MessageHandled;
  /** No handler takes its name. */
  'nestjs-redis-streams:message:unhandled': AttemptedMessage;
  'nestjs-redis-streams:message:failed': MessageFailed;
  'nestjs-redis-streams:message:retried': MessageRetried;
  'nestjs-redis-streams:message:dead-lettered': MessageDeadLettered;
  'nestjs-redis-streams:message:lost': MessageLost;
  'nestjs-redis-streams:connection:reconnecting': ConnectionReconnecting;
}

/** A channel with the type of its events. */
interface EventChannel<Event> {
  readonly hasSubscribers: boolean;
  publish(event: Event): void;
}

const of = <Name extends keyof RedisStreamsChannels>(
  name: Name,
): EventChannel<RedisStreamsChannels[Name]> => channel(name);

/** Node forgets a channel to which nobody keeps a reference. Events are made only if their channel has subscribers. */
export const channels = {
  published: of('nestjs-redis-streams:message:published'),
  publishFailed: of('nestjs-redis-streams:message:publish-failed'),
  received: of('nestjs-redis-streams:message:received'),
  duplicate: of('nestjs-redis-streams:message:duplicate'),
  handled: of('nestjs-redis-streams:message:handled'),
  unhandled: of('nestjs-redis-streams:message:unhandled'),
  failed: of('nestjs-redis-streams:message:failed'),
  retried: of('nestjs-redis-streams:message:retried'),
  deadLettered: of('nestjs-redis-streams:message:dead-lettered'),
  lost: of('nestjs-redis-streams:message:lost'),
  reconnecting: of('nestjs-redis-streams:connection:reconnecting'),
};

/**
 * Listens to one of this package's channels, like `subscribe()` of `node:diagnostics_channel` but typed. The listener is called
 * synchronously for every message, so it should be fast. If it throws or rejects, that is logged, and the message is not
 * affected. (With Node's own `subscribe()` it would be an uncaught exception of the process.)
 *
 * @returns a function that stops listening
 * @example
 * ```ts
 * const end = onStreamsEvent('nestjs-redis-streams:message:dead-lettered', ({ stream, messageId, reason }) => {
 *   alerts.send(`${stream}: ${messageId} is a dead letter, ${reason}`);
 * });
 * ```
 */
export function onStreamsEvent<Name extends keyof RedisStreamsChannels>(
  name: Name,
  listener: (event: RedisStreamsChannels[Name]) => void,
): () => void {
  const guarded = guardedListener<RedisStreamsChannels[Name]>(name, listener);
  const untyped = (event: unknown): void =>
    inOwnContext(() => guarded(event as RedisStreamsChannels[Name]));
  subscribe(name, untyped);
  return () => void unsubscribe(name, untyped);
}

const logger = new SafeLogger('RedisStreamsEvents');

/**
 * Calls a listener of the app. If it throws, or returns a promise that rejects, that is logged, and once for each text: Node would
 * end the process.
 */
export function guardedListener<Event>(
  channelName: string,
  listener: (event: Event) => unknown,
): (event: Event) => void {
  let said: string | undefined;
  const onFault = (error: unknown): void => {
    const text = `A listener of ${channelName} failed: ${thrownText(error)}. No message is affected`;
    if (text !== said) logger.error(text);
    said = text;
  };
  return (event) => {
    try {
      const result = listener(event);
      if (types.isPromise(result)) result.catch(onFault);
    } catch (error) {
      onFault(error);
    }
  };
}
