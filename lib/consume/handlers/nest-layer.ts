import { types } from 'node:util';
import type { Server } from '@nestjs/microservices';
import { InterceptorsConsumer } from '@nestjs/core/interceptors/interceptors-consumer.js';
import { RpcExceptionsHandler } from '@nestjs/microservices/exceptions/rpc-exceptions-handler.js';
import { from, isObservable, mergeMap, type Observable, of, tap } from 'rxjs';
import { isDecision, withCause } from '../../errors/handler.errors.js';
import { RedisStreamsContext } from './redis-streams.context.js';
import { failedWith, type Verdict } from './run.js';

interface Errors {
  /** What the handler threw, if there are interceptors, which may make another error of it. */
  readonly thrown?: { readonly error: unknown };
  /** The first error that reached the filters, which may make others of it. */
  readonly first?: { readonly error: unknown };
}

const errorsOf = new WeakMap<RedisStreamsContext, Errors>();
let watching = false;

/**
 * Notes what was thrown before Nest's exception layer turns it into `{ status, message: 'Internal server error' }`. Its handler
 * is the one place that sees the errors of guards, pipes, interceptors and handlers, in standalone and hybrid apps.
 */
export function watchOriginalErrors(): void {
  if (watching) return;
  watching = true;
  const { handle } = RpcExceptionsHandler.prototype;
  RpcExceptionsHandler.prototype.handle = function (this: RpcExceptionsHandler, ...args) {
    const [error, host] = args;
    const context: unknown = host.getArgs()[1];
    if (!(context instanceof RedisStreamsContext)) return handle.apply(this, args);
    errorsOf.set(context, { first: { error }, ...errorsOf.get(context) });
    const result: unknown = handle.apply(this, args);
    // An async filter may give an Observable. Behind an interceptor, nobody would subscribe to it.
    return types.isPromise(result) ? from(result).pipe(mergeMap(valuesOf)) : (result as never);
  };
  const { intercept } = InterceptorsConsumer.prototype;
  InterceptorsConsumer.prototype.intercept = function (this: InterceptorsConsumer, ...args) {
    const [interceptors, [, context], instance, callback, next, type] = args;
    if (interceptors.length === 0 || !(context instanceof RedisStreamsContext)) {
      return intercept.apply(this, args);
    }
    const noted = notingErrors(next, (error) => errorsOf.set(context, { thrown: { error } }));
    return intercept.call(this, interceptors, args[1], instance, callback, noted, type);
  };
}

const valuesOf = (value: unknown): Observable<unknown> => (isObservable(value) ? value : of(value));

const notingErrors =
  (handle: () => Promise<unknown>, note: (error: unknown) => void) =>
  async (): Promise<unknown> => {
    try {
      const result = await handle();
      return isObservable(result) ? result.pipe(tap({ error: note })) : result;
    } catch (error) {
      note(error);
      throw error;
    }
  };

/**
 * Of the errors of a run and the one that came out of Nest, takes the one that decides about the message. Filters and interceptors
 * decide with our exceptions, whose cause is then what the handler threw. Whatever else filters make of an error, or Nest does, is
 * only for the callers of requests.
 */
export function takeDeciding(context: RedisStreamsContext, error: unknown): unknown {
  const { first = { error }, thrown = first } = errorsOf.get(context) ?? {};
  errorsOf.delete(context);
  const deciding = isDecision(error) ? error : first.error;
  return isDecision(deciding) && deciding !== thrown.error
    ? withCause(deciding, thrown.error)
    : deciding;
}

/** What is called around the handlers of a message: Nest's hooks, which instrumentation sets. */
export interface ProcessingHooks {
  /** `done` runs the handlers, and resolves once they have ended, even if they failed. */
  readonly start: (context: RedisStreamsContext, done: () => Promise<void>) => unknown;
  readonly end: (context: RedisStreamsContext) => unknown;
  /** Called with the error of a hook that does not change the message's outcome. */
  readonly onFault: (error: unknown) => void;
}

/**
 * Runs a message's handlers between the hooks, each of which is called once. If a start hook fails before it calls `done`, the
 * handlers do not run, and the message has failed. Nothing else that hooks do changes its outcome.
 */
export function betweenHooks(
  { start, end, onFault }: ProcessingHooks,
  context: RedisStreamsContext,
  run: () => Promise<Verdict>,
): Promise<Verdict> {
  return new Promise((resolve) => {
    let running: Promise<void> | undefined;
    let keptOff = false;
    const runAndEnd = async (): Promise<void> => {
      if (keptOff) return;
      const verdict = await run();
      void called(() => end(context), onFault);
      resolve(verdict);
    };
    const done = (): Promise<void> => (running ??= runAndEnd());
    void called(
      () => start(context, done),
      (error) => {
        if (running !== undefined) return onFault(error);
        // If it calls done() later all the same, the message may be running again by then.
        keptOff = true;
        resolve(failedWith(error));
      },
    );
  });
}

/** A hook may be an async function: what it rejects with must not end the process. */
async function called(hook: () => unknown, onFault: (error: unknown) => void): Promise<void> {
  try {
    await hook();
  } catch (error) {
    onFault(error);
  }
}

/**
 * The hooks that were set on a server with Nest's `setOnProcessingStartHook` and `setOnProcessingEndHook`. The first
 * versions of Nest 11 have none.
 *
 * @param server as it is during its construction: the hook that it has then is Nest's default
 * @returns reads the hooks that are set at that time; `undefined` if there are none, so that messages are not wrapped
 */
export function nestHooks(
  server: Pick<Server, 'transportId'>,
  onFault: (error: unknown) => void,
): () => ProcessingHooks | undefined {
  const startOf = (): unknown => Reflect.get(server, 'onProcessingStartHook');
  const endOf = (): unknown => Reflect.get(server, 'onProcessingEndHook');
  const unset = startOf();
  return () => {
    const [start, end] = [startOf(), endOf()];
    if (start === unset && end === undefined) return undefined;
    return {
      start: (context, done) =>
        typeof start === 'function'
          ? start.call(server, server.transportId, context, done)
          : done(),
      end: (context) => typeof end === 'function' && end.call(server, server.transportId, context),
      onFault,
    };
  };
}
