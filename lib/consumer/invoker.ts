import type { LoggerService } from '@nestjs/common';
import type { MessageHandler } from '@nestjs/microservices';
import { isObservable, lastValueFrom } from 'rxjs';
import { errorText } from '../redis/redis-errors.js';
import * as text from './consumer.messages.js';
import { RedisStreamsContext } from './redis-streams.context.js';
import type { Invoke, Outcome } from './stream-message.js';

/** Where the handlers run: what their context tells them. */
export interface HandledWhere {
  readonly stream: string;
  readonly group: string;
  readonly consumer: string;
}

/**
 * Runs the handlers of one stream. All of them get each message, one after the other in the order of registration,
 * whatever becomes of the others; one that fails makes the message failed.
 */
export function invoker(
  handlers: readonly MessageHandler[],
  where: HandledWhere,
  logger: LoggerService,
): Invoke {
  return async (message, signal) => {
    const context = new RedisStreamsContext([message, where, signal]);
    let outcome: Outcome = 'handled';
    for (const handler of handlers) {
      try {
        const result: unknown = await handler(message.envelope.payload, context);
        if (isObservable(result)) await lastValueFrom(result, { defaultValue: undefined });
      } catch (error) {
        outcome = 'failed';
        logger.error(text.handlerFailed(where.stream, where.group, message, reason(error)));
      }
    }
    return outcome;
  };
}

/** Nest's exception layer turns most errors into `{ status, message }`. */
function reason(error: unknown): string {
  if (typeof error === 'object' && error !== null && 'message' in error) {
    return errorText(error.message);
  }
  return errorText(error);
}
