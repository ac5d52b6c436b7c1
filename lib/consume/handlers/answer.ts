import type { MessageHandler } from '@nestjs/microservices';
import { isObservable, Observable } from 'rxjs';
import { RequestAbandonedError } from '../../errors/handler.errors.js';
import { takeOriginal } from './original-errors.js';
import type { RedisStreamsContext } from './redis-streams.context.js';
import type { RunReplies } from '../../requests/replier.js';
import type { Verdict } from './run.js';

/** Runs a request's handler, and replies with each value that it gives. The outcome decides how the replies end. */
export async function answer(
  handler: MessageHandler,
  payload: unknown,
  context: RedisStreamsContext,
  replies: RunReplies,
): Promise<Verdict> {
  try {
    const result: unknown = await handler(payload, context);
    if (isObservable(result)) await eachValue(result, replies, context.getSignal());
    else replies.next(result);
    return context.verdict ?? { kind: 'handled' };
  } catch (error) {
    const byHand = context.verdict;
    const original = takeOriginal(context, error);
    if (byHand !== undefined) return byHand;
    if (error instanceof RequestAbandonedError) return { kind: 'abandoned' };
    // The caller gets what filters made of the error, as with Nest's own transports.
    return { kind: 'failed', error: original, reply: error };
  }
}

/** Ends early if nobody waits any longer: an Observable may never complete. */
function eachValue(
  values: Observable<unknown>,
  replies: RunReplies,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      subscription.unsubscribe();
      reject(signal.reason);
    };
    const done = (): void => signal.removeEventListener('abort', onAbort);
    const fail = (error: unknown): void => {
      done();
      reject(error);
    };
    const subscription = values.subscribe({
      next: (value) => {
        try {
          replies.next(value);
        } catch (error) {
          queueMicrotask(() => subscription.unsubscribe());
          fail(error);
        }
      },
      error: fail,
      complete: () => {
        done();
        resolve();
      },
    });
    if (signal.aborted) onAbort();
    else if (!subscription.closed) signal.addEventListener('abort', onAbort, { once: true });
  });
}
