import { concatMap, isObservable, Observable, of } from 'rxjs';
import type { RunReplies } from '../../requests/run-replies.js';

/** The values that a request's handler has returned; undefined if it returned one. */
export function valuesOf(result: unknown, replies: RunReplies): Observable<unknown> | undefined {
  if (isAsyncIterable(result)) return pulled(result, replies);
  if (!isObservable(result)) return undefined;
  // With an interceptor, Nest gives an Observable of what the handler returned.
  return result.pipe(
    concatMap((value: unknown) => (isAsyncIterable(value) ? pulled(value, replies) : of(value))),
  );
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
}

/** Asks for the next value only once few of those before it wait to be written. */
function pulled(values: AsyncIterable<unknown>, replies: RunReplies): Observable<unknown> {
  return new Observable((subscriber) => {
    const iterator = values[Symbol.asyncIterator]();
    const pull = async (): Promise<void> => {
      while (!subscriber.closed) {
        const next = await iterator.next();
        if (next.done === true) return subscriber.complete();
        subscriber.next(next.value);
        await replies.fewWait();
      }
    };
    pull().catch((error: unknown) => subscriber.error(error));
    return () => {
      // Nobody waits for what it still does, or for how that ends.
      Promise.resolve(iterator.return?.()).catch(() => undefined);
    };
  });
}

/** Ends early if nobody waits any longer: an Observable may never complete. */
export function eachValue(
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
