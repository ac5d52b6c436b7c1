import type { MessageHandler } from '@nestjs/microservices';
import { isObservable, lastValueFrom } from 'rxjs';
import { takeOriginal, watchOriginalErrors } from './original-errors.js';
import { RedisStreamsContext } from './redis-streams.context.js';
import type { Invoke } from './stream-message.js';
import { type Verdict, worse } from './verdict.js';

/** Where the handlers run: what their context tells them. */
export interface HandledWhere {
  readonly stream: string;
  readonly group: string;
  readonly consumer: string;
}

/**
 * Runs the handlers of one stream. All of them get each message, one after the other in the order of registration,
 * whatever becomes of the others; the message's verdict is the worst of theirs.
 */
export function invoker(handlers: readonly MessageHandler[], where: HandledWhere): Invoke {
  watchOriginalErrors();
  return async (message, signal) => {
    let verdict: Verdict = { kind: 'handled' };
    for (const handler of handlers) {
      const context = new RedisStreamsContext([message, where, signal]);
      verdict = worse(verdict, await run(handler, message.envelope.payload, context));
    }
    return verdict;
  };
}

async function run(
  handler: MessageHandler,
  payload: unknown,
  context: RedisStreamsContext,
): Promise<Verdict> {
  try {
    const result: unknown = await handler(payload, context);
    if (isObservable(result)) await lastValueFrom(result, { defaultValue: undefined });
    return context.verdict ?? { kind: 'handled' };
  } catch (error) {
    return context.verdict ?? { kind: 'failed', error: takeOriginal(context, error) };
  }
}
