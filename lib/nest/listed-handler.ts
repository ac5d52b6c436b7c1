import type { MessageHandler } from '@nestjs/microservices';
import { defaultIfEmpty, forkJoin, from, isObservable, mergeMap, type Observable, of } from 'rxjs';

/**
 * A handler as `getHandlers()` and `getHandlerByPattern()` show it. As with Nest's own servers, the handlers of one event are a
 * chain by `next`, and calling the first runs all. The handler itself stays out of the chain: it would run the others
 * too, and their failures would get lost.
 */
export function listedHandler(handler: MessageHandler): MessageHandler {
  const listed: MessageHandler = async (...args) => {
    const own = handler(...args);
    const { next } = listed;
    return next === undefined ? own : both(own, next(...args));
  };
  return listed;
}

const both = (own: unknown, following: unknown): Observable<unknown> =>
  forkJoin([valuesOf(own), valuesOf(following)]);

const valuesOf = (result: unknown): Observable<unknown> =>
  from(Promise.resolve(result)).pipe(
    mergeMap((value: unknown) => (isObservable(value) ? value : of(value))),
    defaultIfEmpty(undefined),
  );
